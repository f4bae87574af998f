#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace searchsync::http {

// Which of several equal servers a request goes to. Spreads requests in turn, and leaves out for a
// while a server that could not be reached. Pure: time is an argument. Not thread-safe.
class Endpoints {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // count >= 1. pause: how long a server is left out after a failed connection.
  Endpoints(size_t count, std::chrono::milliseconds pause);

  // The server to try next, by its index, for a request that has already failed at `tried`.
  // A server that is left out is used only when no other remains: a cluster whose every server was
  // away a moment ago is asked again, not given up. Nothing when all have been tried.
  std::optional<size_t> pick(const std::vector<size_t>& tried, Time now);

  void failed(size_t endpoint, Time now);
  void reached(size_t endpoint);

 private:
  const std::chrono::milliseconds pause_;
  std::vector<Time> left_out_until_;  // Time::min(): not left out
  size_t next_ = 0;
};

}  // namespace searchsync::http
