#include "query/date_math.h"

#include <chrono>
#include <optional>

namespace searchsync::query {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take_one_of(std::string_view characters) {
    if (rest_.empty() || !characters.contains(rest_.front())) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // From `least` to `most` digits, as many as there are.
  std::optional<int> digits(int least, int most) {
    int count = 0;
    int value = 0;
    while (count < most && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
      ++count;
    }
    if (count < least) return std::nullopt;
    return value;
  }

 private:
  std::string_view rest_;
};

bool scan_zone(Scanner& scan) {
  if (scan.take('Z')) return true;
  if (!scan.take_one_of("+-")) return true;  // none
  const auto hours = scan.digits(2, 2);
  if (!hours || *hours > 18) return false;
  const bool colon = scan.take(':');
  const auto minutes = scan.digits(colon ? 2 : 0, 2);
  return minutes && *minutes < 60;
}

bool scan_time_of_day(Scanner& scan) {
  const auto hour = scan.digits(2, 2);
  if (!hour || *hour > 23) return false;
  if (scan.take(':')) {
    const auto minute = scan.digits(2, 2);
    if (!minute || *minute > 59) return false;
    if (scan.take(':')) {
      const auto second = scan.digits(2, 2);
      if (!second || *second > 59) return false;
      if (scan.take('.') && !scan.digits(1, 9)) return false;
    }
  }
  return scan_zone(scan);
}

bool scan_date(Scanner& scan) {
  const auto year = scan.digits(4, 4);
  if (!year) return false;
  if (!scan.take('-')) return true;
  const auto month = scan.digits(2, 2);
  if (!month || *month < 1 || *month > 12) return false;
  if (!scan.take('-')) return true;
  const auto day = scan.digits(2, 2);
  if (!day) return false;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return false;
  return !scan.take('T') || scan_time_of_day(scan);
}

bool scan_math(Scanner& scan) {
  constexpr std::string_view kUnits = "yMwdhHms";
  while (!scan.done()) {
    if (scan.take_one_of("+-")) {
      if (!scan.digits(1, 6) || !scan.take_one_of(kUnits)) return false;
    } else if (!scan.take('/') || !scan.take_one_of(kUnits)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool is_time(std::string_view text) {
  if (text.starts_with("now")) {
    Scanner scan(text.substr(3));
    return scan_math(scan);
  }
  const size_t bar = text.find("||");
  Scanner date(text.substr(0, bar));
  if (!scan_date(date) || !date.done()) return false;
  if (bar == std::string_view::npos) return true;
  Scanner math(text.substr(bar + 2));
  return scan_math(math);
}

}  // namespace searchsync::query
