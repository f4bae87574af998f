#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/core/engine.h"
#include "capture/run/side_database.h"
#include "lib/base/bounded_queue.h"
#include "lib/base/error.h"
#include "lib/postgres/connection.h"

namespace searchsync::capture {

// Makes a thread's poll() return. Thread-safe.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void wake() const;
  void clear() const;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

// Reads snapshot chunks on a thread and a connection of its own.
class ChunkReader {
 public:
  struct Answer {
    uint64_t id = 0;
    Result<ChunkRows> rows;
  };

  // `wakeup` must outlive this.
  ChunkReader(postgres::Connection connection, std::vector<TableName> tables, const Wakeup& wakeup);
  // Cancels what it reads.
  ~ChunkReader();

  // One at a time.
  void request(ChunkRequest request);
  std::vector<Answer> answers() { return answers_.drain(); }

 private:
  void run(const std::stop_token& stop);
  Result<ChunkRows> read(const ChunkRequest& request);

  const std::vector<TableName> tables_;
  const Wakeup& wakeup_;
  const postgres::Canceller canceller_;
  // The thread's own.
  postgres::Connection connection_;
  TypeCatalog types_;
  // Synchronised by themselves.
  BoundedQueue<ChunkRequest> requests_{4};
  BoundedQueue<Answer> answers_{4};
  std::jthread thread_;
};

}  // namespace searchsync::capture
