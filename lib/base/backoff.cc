#include "lib/base/backoff.h"

#include <algorithm>

namespace searchsync {
namespace {

// Source: SplitMix64, Steele, Lea and Flood, 2014.
uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::chrono::milliseconds Backoff::next() {
  const int doublings = std::min(attempts_++, 30);
  const int64_t ceiling = std::min(options_.longest.count(), options_.first.count() << doublings);
  const auto draw = static_cast<int64_t>(split_mix(state_) % static_cast<uint64_t>(ceiling));
  return std::chrono::milliseconds(draw + 1);
}

}  // namespace searchsync
