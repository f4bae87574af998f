#include "worker/core/convert.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <charconv>
#include <limits>

#include "worker/core/json_check.h"
#include "worker/core/temporal.h"
#include "worker/core/tuple.h"

namespace searchsync::worker {
namespace {

using model::FieldType;

std::unexpected<Error> refuse(std::string_view fragment, std::string_view expected) {
  return fail(ErrorCode::kMalformed,
              fmt::format("the value {} is not {}", fragment.substr(0, 100), expected));
}

Result<void> convert_json(std::string_view text, std::string& out) {
  // In brackets, since the parser treats a document that is a scalar apart.
  const simdjson::padded_string array("[" + std::string(text) + "]");
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  std::string made;
  size_t count = 0;
  const auto parse = [&]() -> simdjson::error_code {
    simdjson::ondemand::array elements;
    if (auto error = parser.iterate(array).get(document)) return error;
    if (auto error = document.get_array().get(elements)) return error;
    for (auto element : elements) {
      simdjson::ondemand::value value;
      if (auto error = element.get(value)) return error;
      if (auto error = append_value(value, 0, made)) return error;
      ++count;
    }
    return simdjson::SUCCESS;
  };
  const auto error = parse();
  if (error || count != 1 || !at_end(document)) {
    return refuse(text, error ? fmt::format("JSON ({})", simdjson::error_message(error)) : "JSON");
  }
  out += made;
  return {};
}

Result<int64_t> integer_of(std::string_view text, std::string_view expected) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return refuse(text, expected);
  return value;
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
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
    case FieldType::kAuto:
      return {};
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
      append_timestamp(millis ? value * 1000 : value, Zone::kUtc, out);
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
