#include "worker/core/temporal.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdlib>
#include <utility>

namespace searchsync::worker {
namespace {

constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kNanos = 1'000'000'000;

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a ^ b) < 0 ? 1 : 0);
}
int64_t floor_mod(int64_t a, int64_t b) {
  return (a % b + b) % b;
}

struct Civil {
  int64_t year = 0;
  int month = 0;
  int day = 0;
};

// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"; std::chrono::year ends at
// 32767.
Civil civil_of(int64_t days) {
  days += 719'468;
  const int64_t era = floor_div(days, 146'097);
  const auto day_of_era = static_cast<int>(days - era * 146'097);
  const int year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int shifted_month = (5 * day_of_year + 2) / 153;
  const int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {.year = era * 400 + year_of_era + (month <= 2 ? 1 : 0),
          .month = month,
          .day = day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

int64_t days_of(int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = floor_div(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

// Returns the era, to be put behind the time.
std::string_view append_civil(int64_t days, std::string& out) {
  const Civil date = civil_of(days);
  const bool before_christ = date.year <= 0;
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}",
                 before_christ ? 1 - date.year : date.year, date.month, date.day);
  return before_christ ? " BC" : "";
}

void append_clock(int64_t seconds, int64_t nanos, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
  if (nanos == 0) return;
  fmt::format_to(std::back_inserter(out), ".{:09}", nanos);
  while (out.back() == '0') out.pop_back();
}

void append_instant(int64_t seconds, int64_t nanos, Zone zone, std::string& out) {
  const int64_t days = floor_div(seconds, kDaySeconds);
  const auto era = append_civil(days, out);
  out += 'T';
  append_clock(seconds - days * kDaySeconds, nanos, out);
  if (zone == Zone::kUtc) out += 'Z';
  out += era;
}

// Takes digits off the front; false if there are not that many.
bool take_digits(std::string_view& text, size_t count, int& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || value < 0) return false;
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

struct Clock {
  int hour = 0, minute = 0, second = 0;
  int64_t nanos = 0;
  int64_t seconds() const { return hour * 3600 + minute * 60 + second; }
};

// "10:30:00.5", of which seconds and fraction may be missing.
bool take_clock(std::string_view& text, Clock& clock) {
  if (!take_digits(text, 2, clock.hour) || !take(text, ':') ||
      !take_digits(text, 2, clock.minute)) {
    return false;
  }
  if (take(text, ':') && !take_digits(text, 2, clock.second)) return false;
  if (clock.hour > 24 || clock.minute > 59 || clock.second > 60) return false;
  if (!take(text, '.')) return true;
  int64_t unit = kNanos / 10;
  size_t count = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++count) {
    clock.nanos += (text.front() - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return count > 0;
}

// "Z", "+02:00", "+0200", "+02": all of the text. Seconds east of Greenwich.
bool read_offset(std::string_view text, int64_t& seconds) {
  seconds = 0;
  if (text == "Z") return true;
  const bool west = text.starts_with('-');
  if (!west && !text.starts_with('+')) return false;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!take_digits(text, 2, hours)) return false;
  take(text, ':');
  if (!text.empty() && !take_digits(text, 2, minutes)) return false;
  if (!text.empty() || hours > 18 || minutes > 59) return false;
  seconds = hours * 3600 + minutes * 60;
  if (west) seconds = -seconds;
  return true;
}

bool is_zero(std::string_view number) {
  return number.find_first_not_of("+-0.") == std::string_view::npos;
}

}  // namespace

void append_date(int64_t days, std::string& out) {
  out += append_civil(days, out);
}

void append_timestamp(int64_t micros, Zone zone, std::string& out) {
  append_instant(floor_div(micros, 1'000'000), floor_mod(micros, 1'000'000) * 1'000, zone, out);
}

void append_timestamp_nanos(int64_t nanos, Zone zone, std::string& out) {
  append_instant(floor_div(nanos, kNanos), floor_mod(nanos, kNanos), zone, out);
}

void append_time_of_day(int64_t nanos, std::string& out) {
  append_clock(nanos / kNanos, nanos % kNanos, out);
}

void append_duration(int64_t micros, std::string& out) {
  const auto part = [&out](int64_t value, char unit) {
    if (value != 0) fmt::format_to(std::back_inserter(out), "{}{}", value, unit);
  };
  if (micros == 0) {
    out += "PT0S";
    return;
  }
  const int64_t seconds = micros / 1'000'000, fraction = micros % 1'000'000;
  out += "PT";
  part(seconds / 3600, 'H');
  part(seconds / 60 % 60, 'M');
  if (seconds % 60 == 0 && fraction == 0) return;
  if (micros < 0) out += '-';
  fmt::format_to(std::back_inserter(out), "{}", std::abs(seconds % 60));
  if (fraction != 0) {
    fmt::format_to(std::back_inserter(out), ".{:06}", std::abs(fraction));
    while (out.back() == '0') out.pop_back();
  }
  out += 'S';
}

bool append_utc_timestamp(std::string_view text, std::string& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const size_t dash = text.find('-');
  int64_t year = 0;
  int month = 0, day = 0;
  if (dash == std::string_view::npos || dash < 4) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + dash, year);
  if (error != std::errc() || end != text.data() + dash || year < 0) return false;
  // Beyond what PostgreSQL can hold: how Debezium writes its infinities.
  if (year > 294'276 || (negative && year > 4'713)) {
    out += negative ? "-infinity" : "infinity";
    return true;
  }
  text.remove_prefix(dash + 1);
  Clock clock;
  int64_t offset = 0;
  if (!take_digits(text, 2, month) || !take(text, '-') || !take_digits(text, 2, day)) return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (!(take(text, 'T') || take(text, ' ')) || !take_clock(text, clock)) return false;
  if (!read_offset(text, offset)) return false;
  const int64_t days = days_of(negative ? -year : year, month, day);
  append_instant(days * kDaySeconds + clock.seconds() - offset, clock.nanos, Zone::kUtc, out);
  return true;
}

bool append_zoned_time(std::string_view text, std::string& out) {
  Clock clock;
  int64_t offset = 0;
  if (!take_clock(text, clock) || !read_offset(text, offset)) return false;
  append_clock(clock.seconds(), clock.nanos, out);
  fmt::format_to(std::back_inserter(out), "{}{:02}:{:02}", offset < 0 ? '-' : '+',
                 std::abs(offset) / 3600, std::abs(offset) / 60 % 60);
  return true;
}

bool append_interval(std::string_view text, std::string& out) {
  const size_t start = out.size();
  if (!take(text, 'P')) return false;
  out += 'P';
  bool time = false, time_written = false;
  while (!text.empty()) {
    if (take(text, 'T')) {
      time = true;
      continue;
    }
    const size_t size = text.find_first_not_of("+-0123456789.");
    const bool unit = size != std::string_view::npos && size > 0 &&
                      std::string_view("YMWDHS").find(text[size]) != std::string_view::npos;
    if (!unit) {
      out.resize(start);
      return false;
    }
    if (!is_zero(text.substr(0, size))) {
      if (time && !std::exchange(time_written, true)) out += 'T';
      out += without_trailing_zeros(text.substr(0, size));
      out += text[size];
    }
    text.remove_prefix(size + 1);
  }
  if (out.size() == start + 1) out += "T0S";
  return true;
}

std::string_view without_trailing_zeros(std::string_view text) {
  if (text.find('.') == std::string_view::npos) return text;
  while (text.ends_with('0')) text.remove_suffix(1);
  if (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

}  // namespace searchsync::worker
