#include "lib/base/token_bucket.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync {

TokenBucket::TokenBucket(double rate, int burst) : rate_(rate), burst_(burst), filled_(burst) {
  CHECK(rate > 0 && burst >= 1, "rate {}, burst {}", rate, burst);
}

void TokenBucket::fill(Time now) {
  const std::chrono::duration<double> passed = std::max(now - at_, Time::duration(0));
  filled_ = std::min(burst_, filled_ + passed.count() * rate_);
  at_ = std::max(at_, now);
}

std::chrono::nanoseconds TokenBucket::time_for(double missing) const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(missing / rate_));
}

std::chrono::nanoseconds TokenBucket::take(Time now) {
  fill(now);
  filled_ -= 1;
  return filled_ >= 0 ? std::chrono::nanoseconds(0) : time_for(-filled_);
}

std::chrono::nanoseconds TokenBucket::try_take(Time now) {
  fill(now);
  // What was filled in parts may lack the last bit.
  constexpr double kNearlyOne = 1 - 1e-9;
  if (filled_ < kNearlyOne) return time_for(1 - filled_);
  filled_ = std::max(filled_ - 1, 0.0);
  return std::chrono::nanoseconds(0);
}

}  // namespace searchsync
