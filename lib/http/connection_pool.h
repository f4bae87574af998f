#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace searchsync::http {

// Threads that serve connections, one each. Where all are taken the next connection waits, the one
// that has been idle for longest is ended to make room, and past a number that waits further ones
// are refused. Thread-safe.
class ConnectionPool {
 public:
  using Job = std::function<void()>;

  // threads >= 1.
  ConnectionPool(size_t threads, size_t waiting_max);
  // Calls stop().
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // False if too many wait.
  bool add(Job serve);

  // Called while a connection is served, around the wait for its next request: then another thread
  // may shut down reading from its socket. False if it is not to wait.
  bool begin_idle(int socket);
  void end_idle(int socket);

  // Ends what is idle, lets all else finish, and returns when the threads have ended.
  void stop();

 private:
  void work();
  void end_longest_idle();  // with mutex_ held

  const size_t waiting_max_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<Job> waiting_;
  size_t free_;                   // threads that serve nobody, those that have yet to start too
  uint64_t idle_count_ = 0;       // so far
  std::map<int, uint64_t> idle_;  // sockets, and when: the count then
  bool stopping_ = false;

  std::vector<std::jthread> threads_;
};

}  // namespace searchsync::http
