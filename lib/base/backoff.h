#pragma once

#include <chrono>
#include <cstdint>

namespace searchsync {

// Exponential backoff with full jitter: the n-th wait is uniform in (0, min(longest, first * 2^n)].
// Deterministic for a seed. Not thread-safe.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds longest{30'000};
  };

  Backoff(Options options, uint64_t seed) : options_(options), state_(seed) {}

  std::chrono::milliseconds next();
  void reset() { attempts_ = 0; }
  int attempts() const { return attempts_; }

 private:
  const Options options_;
  uint64_t state_;
  int attempts_ = 0;
};

}  // namespace searchsync
