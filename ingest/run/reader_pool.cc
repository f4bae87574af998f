#include "ingest/run/reader_pool.h"

#include "lib/base/check.h"

namespace searchsync::ingest {

ReaderPool::ReaderPool(size_t readers) : free_(readers) {
  CHECK(readers > 0);
}

std::expected<Events, BodyProblem> ReaderPool::read(const EventSchema& schema,
                                                    const EventRequest& request) {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  EventReader reader = std::move(free_.back());
  free_.pop_back();
  lock.unlock();
  auto events = reader.read(schema, request);
  lock.lock();
  free_.push_back(std::move(reader));
  lock.unlock();
  returned_.notify_one();
  return events;
}

}  // namespace searchsync::ingest
