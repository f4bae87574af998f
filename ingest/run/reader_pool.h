#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "ingest/core/event_reader.h"

namespace searchsync::ingest {

// Readers for many threads, fewer than threads: each keeps buffers as large as the largest body,
// and more of them than there are processors would not read faster. Thread-safe.
class ReaderPool {
 public:
  // readers >= 1.
  explicit ReaderPool(size_t readers);

  // Waits for a reader, which reads.
  std::expected<Events, BodyProblem> read(const EventSchema& schema, const EventRequest& request);

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<EventReader> free_;  // guarded by mutex_
};

}  // namespace searchsync::ingest
