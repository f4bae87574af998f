#include "lib/model/period.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::model {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::sys_time;

constexpr int64_t kHourMs = 3'600'000;

sys_time<milliseconds> time_at(int64_t ms) {
  return sys_time<milliseconds>(milliseconds(ms));
}

std::chrono::year_month_day date_at(int64_t ms) {
  return std::chrono::floor<days>(time_at(ms));
}

int64_t milliseconds_of(sys_days day) {
  return std::chrono::duration_cast<milliseconds>(day.time_since_epoch()).count();
}

int32_t floor_div(int64_t a, int64_t b) {
  return static_cast<int32_t>(a / b - (a % b != 0 && a < 0 ? 1 : 0));
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly so many digits, of a number from `least` to `most`; sets failed() otherwise.
  int number(size_t digits, int least, int most) {
    int value = 0;
    for (size_t i = 0; i < digits; ++i) value = value * 10 + digit();
    failed_ = failed_ || value < least || value > most;
    return value;
  }
  // Of a fraction of a second, 1 to 9 digits.
  int fraction_ms() {
    int value = 0;
    size_t count = 0;
    for (; count < 9 && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++count) {
      const int next = digit();
      if (count < 3) value = value * 10 + next;
    }
    for (size_t i = count; i < 3; ++i) value *= 10;
    failed_ = failed_ || count == 0;
    return value;
  }
  bool failed() const { return failed_; }

 private:
  int digit() {
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') {
      failed_ = true;
      return 0;
    }
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// "Z", "+01:00", "+0100", "+01", or nothing. Milliseconds east of Greenwich.
int64_t scan_zone(Scanner& scan) {
  if (scan.done() || scan.take('Z')) return 0;
  const bool west = scan.take('-');
  if (!west && !scan.take('+')) return 0;  // what is left is a fault
  const int hours = scan.number(2, 0, 18);
  const bool colon = scan.take(':');
  const int minutes = colon || !scan.done() ? scan.number(2, 0, 59) : 0;
  return (west ? -1 : 1) * (hours * 60 + minutes) * int64_t{60'000};
}

int64_t scan_time_of_day(Scanner& scan) {
  int64_t ms = scan.number(2, 0, 23) * kHourMs;
  if (scan.take(':')) {
    ms += scan.number(2, 0, 59) * int64_t{60'000};
    if (scan.take(':')) {
      ms += scan.number(2, 0, 59) * int64_t{1000};
      if (scan.take('.')) ms += scan.fraction_ms();
    }
  }
  return ms - scan_zone(scan);
}

std::optional<sys_days> day_of(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date);
}

}  // namespace

Period period_of(Every every, int64_t time_ms) {
  switch (every) {
    case Every::kHour:
      return Period(floor_div(time_ms, kHourMs));
    case Every::kDay:
      return Period(floor_div(time_ms, 24 * kHourMs));
    case Every::kMonth: {
      const auto date = date_at(time_ms);
      return Period((static_cast<int>(date.year()) - 1970) * 12 +
                    static_cast<int>(static_cast<unsigned>(date.month())) - 1);
    }
  }
  CHECK(false, "no such period");
  return Period();
}

int64_t begin_of(Every every, Period period) {
  switch (every) {
    case Every::kHour:
      return period.get() * kHourMs;
    case Every::kDay:
      return period.get() * 24 * kHourMs;
    case Every::kMonth: {
      const int year = floor_div(period.get(), 12);
      const auto month = static_cast<unsigned>(period.get() - year * 12 + 1);
      return milliseconds_of(sys_days(std::chrono::year(1970 + year) / std::chrono::month(month) /
                                      std::chrono::day(1)));
    }
  }
  CHECK(false, "no such period");
  return 0;
}

std::string period_name(Every every, Period period) {
  const int64_t begin = begin_of(every, period);
  const auto date = date_at(begin);
  auto name = fmt::format("{:04}-{:02}", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()));
  if (every == Every::kMonth) return name;
  name += fmt::format("-{:02}", static_cast<unsigned>(date.day()));
  if (every == Every::kDay) return name;
  return name + fmt::format("t{:02}", (begin - milliseconds_of(sys_days(date))) / kHourMs);
}

std::optional<Period> parse_period(Every every, std::string_view name) {
  std::string text(name);
  if (every == Every::kHour && text.size() > 10 && text[10] == 't') text[10] = 'T';
  const auto time = read_time(text);
  if (!time) return std::nullopt;
  const auto period = period_of(every, *time);
  if (period_name(every, period) != name) return std::nullopt;
  return period;
}

IndexName partition_name(const IndexName& generation, Every every, Period period) {
  return IndexName(generation.get() + "-" + period_name(every, period));
}

std::optional<int64_t> read_time(std::string_view text) {
  Scanner scan(text);
  const int year = scan.number(4, 1, 9999);
  int month = 1, day = 1;
  int64_t ms = 0;
  if (scan.take('-')) {
    month = scan.number(2, 1, 12);
    if (scan.take('-')) {
      day = scan.number(2, 1, 31);
      if (scan.take('T')) ms = scan_time_of_day(scan);
    }
  }
  if (scan.failed() || !scan.done()) return std::nullopt;
  const auto date = day_of(year, month, day);
  if (!date) return std::nullopt;
  ms += milliseconds_of(*date);
  const int shifted = static_cast<int>(date_at(ms).year());
  if (shifted < 1 || shifted > 9999) return std::nullopt;
  return ms;
}

Window window_at(Every every, std::chrono::seconds retain, std::chrono::seconds ahead,
                 int64_t now_ms) {
  // The one whose end is at least as new as what is kept: it began before that, or just then.
  const int64_t kept = now_ms - milliseconds(retain).count();
  return {.oldest = period_of(every, kept),
          .newest = period_of(every, now_ms + milliseconds(ahead).count())};
}

}  // namespace searchsync::model
