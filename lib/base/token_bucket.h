#pragma once

#include <chrono>

namespace searchsync {

// Lets `burst` through at once and `rate` a second in the long run, each in its turn. Pure: time is
// an argument, and does not go back. Not thread-safe.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // rate > 0, burst >= 1. Full at first.
  TokenBucket(double rate, int burst);

  // Takes one, or orders it. Returns how long to wait before using it.
  std::chrono::nanoseconds take(Time now);
  // Takes one if there is one: 0. Else how long until there is one.
  std::chrono::nanoseconds try_take(Time now);

 private:
  void fill(Time now);
  std::chrono::nanoseconds time_for(double missing) const;

  const double rate_;
  const double burst_;
  double filled_;  // below 0: so many are ordered
  Time at_{};
};

}  // namespace searchsync
