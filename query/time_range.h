#pragma once

// Which partitions of an index a filter can find documents in. Pure.

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/model/node.h"
#include "lib/model/period.h"

namespace searchsync::query {

// From the first to the last millisecond since 1970. Open, where it is the least or greatest.
struct TimeRange {
  int64_t from = std::numeric_limits<int64_t>::min();
  int64_t until = std::numeric_limits<int64_t>::max();
  bool empty() const { return from > until; }
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

// The engine's clock decides what "now" is: it may differ so much from ours.
inline constexpr int64_t kClocksDifferMs = 60'000;

// No document fits the filter whose `field` is out of the range that this returns; it may be wider
// than need be, never narrower. filter: one that translate_filter() has no fault with. field: a
// date in the mappings' default format.
TimeRange time_range(const model::Node& filter, std::string_view field, int64_t now_ms);

// More names would not fit into a request's first line (4,096 bytes).
inline constexpr size_t kPeriodsNamedMax = 100;

// Those of `window` that the range touches, in order. Nothing: so many that all have to be asked.
std::optional<std::vector<model::Period>> periods_within(model::Every every, const TimeRange& range,
                                                         const model::Window& window);

}  // namespace searchsync::query
