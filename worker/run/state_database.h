#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "worker/core/store.h"

namespace searchsync::worker {

// The state of a worker's partitions on disk: one RocksDB, without a write-ahead log, because the
// document log is one. After a crash it is as it was at some commit() of the last minutes, each
// partition whole; what came after is folded again.
//
// Not thread-safe: one thread owns it and its stores.
class StateDatabase {
 public:
  struct Options {
    size_t memory_bytes = size_t{48} << 20;  // of blocks and of what is not on disk yet
  };

  // Creates the folder if need be. Errors: kUnavailable, naming the folder: it cannot be written,
  // is full, or another process has it open.
  static Result<std::unique_ptr<StateDatabase>> open(const std::string& folder, Options options);
  ~StateDatabase();

  // The store of one partition; it must not outlive the database.
  std::unique_ptr<Store> partition(Partition partition);

  // Puts everything committed on disk.
  Result<void> flush();
  uint64_t bytes() const;

 private:
  struct Impl;
  explicit StateDatabase(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::worker
