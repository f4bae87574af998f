#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "lib/base/token_bucket.h"
#include "lib/model/resources.h"

namespace searchsync::query {

// How often each caller may ask, within this process. Thread-safe; of bounded size: beyond
// kCallersMax that ask at one time, the newcomers share one allowance.
class RateLimits {
 public:
  static constexpr size_t kCallersMax = 10'000;

  // Nothing: it may. Else after how long it may.
  std::optional<std::chrono::nanoseconds> take(const std::string& caller,
                                               const model::RateLimitSpec& limit,
                                               TokenBucket::Time now);

 private:
  struct Entry {
    TokenBucket bucket;
    TokenBucket::Time full_at;  // from then on it is as if it had never been
  };

  void forget_idle(TokenBucket::Time now);

  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
  TokenBucket::Time next_look_{};         // guarded by mutex_
};

// Whose allowance the client at this address takes from: itself, or of IPv6 its network of 64 bits,
// for one machine has all of that.
std::string client_of(const std::string& address);

}  // namespace searchsync::query
