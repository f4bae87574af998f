#pragma once

// Times as canonical text: ISO 8601, fractions only where they are not zero and without trailing
// zeros, years before 1 as PostgreSQL writes them ("0044-03-15 BC").

#include <cstdint>
#include <string>
#include <string_view>

namespace searchsync::worker {

// Days since 1970 as "2024-01-15".
void append_date(int64_t days, std::string& out);

enum class Zone {
  kNone,  // a local time
  kUtc,   // with a Z
};

// A time since 1970 as "2024-01-15T10:30:00.123456Z".
void append_timestamp(int64_t micros, Zone zone, std::string& out);
void append_timestamp_nanos(int64_t nanos, Zone zone, std::string& out);

// A time of day, in nanoseconds, as "10:30:00.5". 24:00:00 is one.
void append_time_of_day(int64_t nanos, std::string& out);

// A duration as "PT26H0.5S"; none is "PT0S".
void append_duration(int64_t micros, std::string& out);

// "2024-01-15T10:30:00.120+02:00" becomes "2024-01-15T08:30:00.12Z". False, with nothing appended,
// if the text has not that form.
bool append_utc_timestamp(std::string_view text, std::string& out);

// "10:30:00.120Z" becomes "10:30:00.12+00:00". False, with nothing appended, if the text has not
// that form.
bool append_zoned_time(std::string_view text, std::string& out);

// "P0Y0M3DT0H5M0.50S" becomes "P3DT5M0.5S". False, with nothing appended, if it is no ISO interval.
bool append_interval(std::string_view text, std::string& out);

// The text without the zeros that end its fraction of a second: "10:30:00.120" is "10:30:00.12".
std::string_view without_trailing_zeros(std::string_view text);

}  // namespace searchsync::worker
