#include "worker/core/convert.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <chrono>
#include <charconv>

#include "worker/core/tuple.h"

namespace searchsync::worker {
namespace {

using model::FieldType;

std::unexpected<Error> refuse(std::string_view fragment, std::string_view expected) {
  return fail(ErrorCode::kMalformed,
              fmt::format("the value {} is not {}", fragment.substr(0, 100), expected));
}

// JSON's grammar of numbers, so that any text that passes can stand in a document as it is.
bool is_json_number(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - start;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const size_t integer = at;
  const size_t count = digits();
  if (count == 0 || (count > 1 && text[integer] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

Result<void> convert_json(std::string_view text, std::string& out) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (auto error = parser.parse(text.data(), text.size()).get(element)) {
    return refuse(text, fmt::format("JSON ({})", simdjson::error_message(error)));
  }
  out += simdjson::minify(element);
  return {};
}

Result<int64_t> integer_of(std::string_view text, std::string_view expected) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return refuse(text, expected);
  return value;
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a ^ b) < 0 ? 1 : 0); }

}  // namespace

void append_date(int64_t days, std::string& out) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

void append_timestamp(int64_t micros, std::string& out) {
  constexpr int64_t kDay = 86'400'000'000;
  const int64_t days = floor_div(micros, kDay);
  const int64_t rest = micros - days * kDay;
  const int64_t seconds = rest / 1'000'000;
  append_date(days, out);
  fmt::format_to(std::back_inserter(out), "T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
  if (const int64_t fraction = rest % 1'000'000; fraction != 0) {
    fmt::format_to(std::back_inserter(out), ".{:06}", fraction);
    while (out.back() == '0') out.pop_back();
  }
  out += 'Z';
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

Result<void> convert(std::string_view fragment, FieldType type, std::string& out) {
  if (fragment == "null" || type == FieldType::kAuto) {
    out += fragment;
    return {};
  }
  std::string text;
  const bool scalar = append_scalar_text(fragment, text);
  switch (type) {
    case FieldType::kAuto: return {};
    case FieldType::kString:
      append_json_string(scalar ? std::string_view(text) : fragment, out);
      return {};
    case FieldType::kNumber:
      if (!scalar || !is_json_number(text)) return refuse(fragment, "a number");
      out += text;
      return {};
    case FieldType::kBoolean:
      if (text == "true" || text == "t" || text == "1") {
        out += "true";
      } else if (text == "false" || text == "f" || text == "0") {
        out += "false";
      } else {
        return refuse(fragment, "a boolean");
      }
      return {};
    case FieldType::kJson:
      if (!scalar) {
        out += fragment;
        return {};
      }
      return convert_json(text, out);
    case FieldType::kTimestampMillis:
    case FieldType::kTimestampMicros: {
      ASSIGN_OR_RETURN(const int64_t value, integer_of(text, "an integer of time since 1970"));
      const bool millis = type == FieldType::kTimestampMillis;
      constexpr int64_t kMillisMax = std::numeric_limits<int64_t>::max() / 1000;
      if (millis && (value > kMillisMax || value < -kMillisMax)) return refuse(fragment, "a time");
      out += '"';
      append_timestamp(millis ? value * 1000 : value, out);
      out += '"';
      return {};
    }
    case FieldType::kDateDays: {
      ASSIGN_OR_RETURN(const int64_t days, integer_of(text, "an integer of days since 1970"));
      if (days > 10'000'000 || days < -10'000'000) return refuse(fragment, "a date");
      out += '"';
      append_date(days, out);
      out += '"';
      return {};
    }
  }
  return {};
}

}  // namespace searchsync::worker
