#pragma once

// Stretches of time, each with an index of its own, and which of them are written to. All in UTC.
// See docs/decisions/0009-time-partitions.md.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/named.h"

namespace searchsync::model {

enum class Every : uint8_t { kHour, kDay, kMonth };

// An hour, a day or a month, counted from the one that 1970 begins with.
using Period = Named<int32_t, struct PeriodTag>;

// Of times from the year 1 to 9999, as read_time() has them.
Period period_of(Every every, int64_t time_ms);
// Its first millisecond since 1970. Its end is the begin of the next one.
int64_t begin_of(Every every, Period period);

// "2026-11-29t13", "2026-11-29", "2026-11". They sort as their times do.
std::string period_name(Every every, Period period);
// Nothing if it is not the name of such a period.
std::optional<Period> parse_period(Every every, std::string_view name);

// "<generation>-2026-11-29"
IndexName partition_name(const IndexName& generation, Every every, Period period);

// Milliseconds since 1970, rounded down, of a time as both engines read it in a date field's
// default format: "2026-11-29T13:30:00.5+01:00", down to "2026"; without a zone it is UTC.
// Nothing if it is none, or not of the years 1 to 9999.
std::optional<int64_t> read_time(std::string_view text);

// The periods that are written to: from `oldest` to `newest`.
struct Window {
  Period oldest;
  Period newest;
};

// At now_ms, of the time that partitions are kept after their end, and how far ahead of now they
// may be.
Window window_at(Every every, std::chrono::seconds retain, std::chrono::seconds ahead,
                 int64_t now_ms);

}  // namespace searchsync::model
