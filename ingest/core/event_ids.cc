#include "ingest/core/event_ids.h"

#include <string_view>

namespace searchsync::ingest {
namespace {

// Source: the finalizer of SplitMix64. A bijection: no two counts give one value.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

}  // namespace

EventIds::EventIds(WallTime now, uint64_t seed, uint64_t other_seed)
    : milliseconds_(static_cast<uint64_t>(
          std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count())),
      state_(seed),
      salt_(other_seed) {}

void EventIds::append_next(std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const uint64_t random = mix(state_++ ^ salt_);
  const uint64_t more = mix(random + salt_);
  const uint64_t high = milliseconds_ << 16 | 0x7000 | (more & 0x0fff);
  const uint64_t low = random >> 2 | uint64_t{1} << 63;  // the variant: 10
  const uint64_t halves[] = {high, low & ~(uint64_t{1} << 62)};
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += kDigits[halves[i / 16] >> (60 - 4 * (i % 16)) & 15];
  }
}

}  // namespace searchsync::ingest
