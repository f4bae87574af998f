#include "ingest/core/column_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "ingest/core/excerpt.h"
#include "lib/base/check.h"
#include "lib/base/time_text.h"
#include "worker/core/json_check.h"

namespace searchsync::ingest {
namespace {

using model::ColumnType;

template <class T>
std::string check_bounds(const Column& column, T value, std::string_view token) {
  if (column.minimum && value < static_cast<T>(*column.minimum)) {
    return fmt::format("is {}: expected at least {}", excerpt(token), *column.minimum);
  }
  if (column.maximum && value > static_cast<T>(*column.maximum)) {
    return fmt::format("is {}: expected at most {}", excerpt(token), *column.maximum);
  }
  return "";
}

template <class T>
bool parse(std::string_view token, T& value) {
  const char* const end = token.data() + token.size();
  const auto parsed = std::from_chars(token.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

}  // namespace

std::string check_text(const Column& column, std::string_view text) {
  if (column.bytes_max && text.size() > *column.bytes_max) {
    return fmt::format("has {} bytes: expected at most {}", text.size(), *column.bytes_max);
  }
  if (column.values.empty() || std::ranges::find(column.values, text) != column.values.end()) {
    return "";
  }
  return fmt::format("expected one of {}, found \"{}\"", fmt::join(column.values, ", "),
                     excerpt(text));
}

std::string check_number(const Column& column, std::string_view token) {
  if (column.type == ColumnType::kInteger) {
    int64_t value = 0;
    if (!parse(token, value)) {
      return fmt::format("expected a whole number of 64 bits, found {}", excerpt(token));
    }
    return check_bounds(column, value, token);
  }
  double value = 0;
  if (!parse(token, value)) {
    return fmt::format(
        "expected a number that 64 bits of floating point can come close to, found "
        "{}",
        excerpt(token));
  }
  return check_bounds(column, value, token);
}

std::string read_time(std::string_view text, std::string& kept) {
  constexpr size_t kSize = std::string_view("2026-01-31T12:00:00.000000Z").size();
  const auto time = parse_rfc3339(text);
  if (time) kept = format_micro_time(*time);
  // Offsets lead out of the years of four digits.
  if (time && kept.size() == kSize && kept.front() != '-') return "";
  return fmt::format("expected a time such as 2026-01-31T12:00:00Z, found \"{}\"", excerpt(text));
}

std::string read_path_value(const Column& column, std::string_view text, std::string& kept) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return "is not UTF-8";
  kept = text;
  switch (column.type) {
    case ColumnType::kString:
      return check_text(column, text);
    case ColumnType::kInteger:
    case ColumnType::kNumber:
      if (worker::is_json_number(text)) return check_number(column, text);
      return fmt::format("expected a number, found \"{}\"", excerpt(text));
    case ColumnType::kBoolean:
      if (text == "true" || text == "false") return "";
      return fmt::format("expected true or false, found \"{}\"", excerpt(text));
    case ColumnType::kTimestamp:
      return read_time(text, kept);
    case ColumnType::kJson:
      break;
  }
  CHECK(false, "a parameter of type Json");
}

}  // namespace searchsync::ingest
