#include "lib/http/connection_pool.h"

#include <sys/socket.h>

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::http {

ConnectionPool::ConnectionPool(size_t threads, size_t waiting_max)
    : waiting_max_(waiting_max), free_(threads) {
  CHECK(threads > 0);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

ConnectionPool::~ConnectionPool() {
  stop();
}

bool ConnectionPool::add(Job serve) {
  const std::lock_guard lock(mutex_);
  // Those that a free thread is about to take do not wait.
  if (waiting_.size() >= free_ + waiting_max_) return false;
  waiting_.push_back(std::move(serve));
  if (waiting_.size() > free_) end_longest_idle();
  changed_.notify_one();
  return true;
}

void ConnectionPool::end_longest_idle() {
  const auto longest =
      std::ranges::min_element(idle_, {}, [](const auto& entry) { return entry.second; });
  if (longest == idle_.end()) return;
  ::shutdown(longest->first, SHUT_RD);
  idle_.erase(longest);
}

bool ConnectionPool::begin_idle(int socket) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  idle_[socket] = idle_count_++;
  // Somebody may have come while none was idle.
  if (waiting_.size() > free_) end_longest_idle();
  return true;
}

void ConnectionPool::end_idle(int socket) {
  const std::lock_guard lock(mutex_);
  idle_.erase(socket);
}

void ConnectionPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Job serve = std::move(waiting_.front());
    waiting_.pop_front();
    --free_;
    lock.unlock();
    serve();
    lock.lock();
    ++free_;
  }
}

void ConnectionPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [socket, since] : idle_) ::shutdown(socket, SHUT_RD);
  }
  changed_.notify_all();
  threads_.clear();
}

}  // namespace searchsync::http
