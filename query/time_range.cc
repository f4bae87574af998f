#include "query/time_range.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>

namespace searchsync::query {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::sys_time;
using std::chrono::year_month_day;

constexpr int64_t kSecondMs = 1000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs,
                  kDayMs = 24 * kHourMs;

sys_days day_of(int64_t ms) {
  return std::chrono::floor<days>(sys_time<milliseconds>(milliseconds(ms)));
}

int64_t milliseconds_of(sys_days day) {
  return std::chrono::duration_cast<milliseconds>(day.time_since_epoch()).count();
}

int64_t floor_to(int64_t ms, int64_t unit) {
  return ms - ((ms % unit) + unit) % unit;
}

// The last day of a month that is too short for the day.
int64_t add_months(int64_t ms, int64_t count) {
  const sys_days day = day_of(ms);
  auto date = year_month_day(day) + std::chrono::months(count);
  if (!date.ok()) date = date.year() / date.month() / std::chrono::last;
  return ms - milliseconds_of(day) + milliseconds_of(sys_days(date));
}

// Nothing beyond the years that can be counted in.
std::optional<int64_t> add(int64_t ms, int64_t count, char unit) {
  constexpr int64_t kYearsMax = 20'000;
  switch (unit) {
    case 'y':
    case 'M': {
      const int64_t months = unit == 'y' ? count * 12 : count;
      if (months > kYearsMax * 12 || months < -kYearsMax * 12) return std::nullopt;
      return add_months(ms, months);
    }
    case 'w':
      return ms + count * 7 * kDayMs;
    case 'd':
      return ms + count * kDayMs;
    case 'h':
    case 'H':
      return ms + count * kHourMs;
    case 'm':
      return ms + count * kMinuteMs;
    case 's':
      return ms + count * kSecondMs;
    default:
      return std::nullopt;
  }
}

// The begin of the year, month, … that it is in.
std::optional<int64_t> round_down(int64_t ms, char unit) {
  const year_month_day date(day_of(ms));
  switch (unit) {
    case 'y':
      return milliseconds_of(sys_days(date.year() / std::chrono::January / 1));
    case 'M':
      return milliseconds_of(sys_days(date.year() / date.month() / 1));
    case 'w':  // 1970 began on a Thursday, weeks begin on Mondays
      return floor_to(ms + 3 * kDayMs, 7 * kDayMs) - 3 * kDayMs;
    case 'd':
      return floor_to(ms, kDayMs);
    case 'h':
    case 'H':
      return floor_to(ms, kHourMs);
    case 'm':
      return floor_to(ms, kMinuteMs);
    case 's':
      return floor_to(ms, kSecondMs);
    default:
      return std::nullopt;
  }
}

// The last millisecond of what the text says no more of.
std::optional<int64_t> end_of(int64_t begin, char unit) {
  const auto next = add(begin, 1, unit);
  if (!next) return std::nullopt;
  return *next - 1;
}

// The smallest unit that a time without date math is written to.
char precision(std::string_view text) {
  const size_t clock = text.find('T');
  if (clock == std::string_view::npos) {
    return text.size() == 4 ? 'y' : text.size() == 7 ? 'M' : 'd';
  }
  text.remove_prefix(clock + 1);
  text = text.substr(0, text.find_first_of("Z+-"));
  const auto colons = std::ranges::count(text, ':');
  return colons == 0 ? 'h' : colons == 1 ? 'm' : 's';
}

// Applies "-3h/d+1M" to both ends. False if it cannot be followed.
bool follow(std::string_view math, TimeRange& range) {
  while (!math.empty()) {
    const char sign = math.front();
    math.remove_prefix(1);
    int64_t count = 0;
    if (sign != '/') {
      const auto parsed = std::from_chars(math.data(), math.data() + math.size(), count);
      if (parsed.ec != std::errc()) return false;
      math.remove_prefix(static_cast<size_t>(parsed.ptr - math.data()));
      if (sign == '-') count = -count;
    }
    if (math.empty()) return false;
    const char unit = math.front();
    math.remove_prefix(1);
    auto from = sign == '/' ? round_down(range.from, unit) : add(range.from, count, unit);
    auto until = sign == '/' ? round_down(range.until, unit) : add(range.until, count, unit);
    if (sign == '/' && until) until = end_of(*until, unit);
    if (!from || !until) return false;
    range = {*from, *until};
  }
  return true;
}

// All that a value may mean, whichever way it is rounded. Nothing: not known.
std::optional<TimeRange> meaning(const model::Node& value, int64_t now_ms) {
  if (const auto* ms = std::get_if<int64_t>(&value.value)) return TimeRange{*ms, *ms};
  const std::string* whole = value.string();
  if (whole == nullptr) return std::nullopt;
  const std::string_view text = *whole;
  TimeRange range;
  std::string_view math;
  if (text.starts_with("now")) {
    range = {now_ms - kClocksDifferMs, now_ms + kClocksDifferMs};
    math = text.substr(3);
  } else {
    const size_t bars = text.find("||");
    const auto time = text.substr(0, bars);
    const auto begin = model::read_time(time);
    if (!begin) return std::nullopt;
    // A fraction is below what partitions are made of: the second around it will do.
    const auto end = end_of(*begin, precision(time));
    if (!end) return std::nullopt;
    range = {*begin, *end};
    if (bars != std::string_view::npos) math = text.substr(bars + 2);
  }
  if (!follow(math, range)) return std::nullopt;
  return range;
}

TimeRange hull(const TimeRange& a, const TimeRange& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.from, b.from), std::max(a.until, b.until)};
}

TimeRange of_bounds(const model::Node& operand, int64_t now_ms) {
  TimeRange range;
  for (const std::string_view key : {"gte", "gt"}) {
    const model::Node* bound = operand.find(key);
    const auto known = bound == nullptr ? std::nullopt : meaning(*bound, now_ms);
    if (known) range.from = std::max(range.from, known->from);
  }
  for (const std::string_view key : {"lte", "lt"}) {
    const model::Node* bound = operand.find(key);
    const auto known = bound == nullptr ? std::nullopt : meaning(*bound, now_ms);
    if (known) range.until = std::min(range.until, known->until);
  }
  return range;
}

}  // namespace

TimeRange time_range(const model::Node& filter, std::string_view field, int64_t now_ms) {
  const model::Node::Mapping* mapping = filter.mapping();
  if (mapping == nullptr || mapping->size() != 1) return {};
  const auto& [name, position, operand] = mapping->front();
  const auto* list = operand.sequence();
  TimeRange range;
  if (name == "and" && list != nullptr) {
    for (const auto& one : *list) {
      const TimeRange its = time_range(one, field, now_ms);
      range = {std::max(range.from, its.from), std::min(range.until, its.until)};
    }
    return range;
  }
  if (name == "or" && list != nullptr && !list->empty()) {
    range = time_range(list->front(), field, now_ms);
    for (const auto& one : *list) range = hull(range, time_range(one, field, now_ms));
    return range;
  }
  const model::Node* asked = operand.find("field");
  if (asked == nullptr || asked->string() == nullptr || *asked->string() != field) return {};
  if (name == "range") return of_bounds(operand, now_ms);
  const model::Node* value = operand.find("value");
  if (name == "equals" && value != nullptr) return meaning(*value, now_ms).value_or(range);
  const model::Node* values = operand.find("values");
  if (name != "in" || values == nullptr || values->sequence() == nullptr) return {};
  TimeRange any{.from = 1, .until = 0};
  for (const auto& one : *values->sequence()) {
    any = hull(any, meaning(one, now_ms).value_or(TimeRange{}));
  }
  return any;
}

std::optional<std::vector<model::Period>> periods_within(model::Every every, const TimeRange& range,
                                                         const model::Window& window) {
  const int64_t first = model::begin_of(every, window.oldest);
  const int64_t last = model::begin_of(every, model::Period(window.newest.get() + 1)) - 1;
  const int64_t from = std::max(range.from, first), until = std::min(range.until, last);
  std::vector<model::Period> periods;
  if (from > until) return periods;
  const auto begin = model::period_of(every, from), end = model::period_of(every, until);
  const auto count = static_cast<size_t>(end.get() - begin.get()) + 1;
  if (count > kPeriodsNamedMax) return std::nullopt;
  for (int32_t at = begin.get(); at <= end.get(); ++at) periods.emplace_back(at);
  return periods;
}

}  // namespace searchsync::query
