#include "worker/core/connect.h"

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "lib/base/base64.h"
#include "worker/core/convert.h"
#include "worker/core/decimal.h"
#include "worker/core/json_check.h"
#include "worker/core/temporal.h"

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;
namespace dom = simdjson::dom;
using Kind = ConnectForm::Kind;

constexpr int kSchemaDepthMax = 32;

// Source: Debezium, "Data type mappings" of the PostgreSQL connector; packages io.debezium.time,
// io.debezium.data and org.apache.kafka.connect.data.
constexpr std::pair<std::string_view, Kind> kSemanticTypes[] = {
    {"org.apache.kafka.connect.data.Decimal", Kind::kDecimal},
    {"org.apache.kafka.connect.data.Date", Kind::kDate},
    {"org.apache.kafka.connect.data.Time", Kind::kTimeMillis},
    {"org.apache.kafka.connect.data.Timestamp", Kind::kTimestampMillis},
    {"io.debezium.time.Date", Kind::kDate},
    {"io.debezium.time.Timestamp", Kind::kTimestampMillis},
    {"io.debezium.time.MicroTimestamp", Kind::kTimestampMicros},
    {"io.debezium.time.NanoTimestamp", Kind::kTimestampNanos},
    {"io.debezium.time.Time", Kind::kTimeMillis},
    {"io.debezium.time.MicroTime", Kind::kTimeMicros},
    {"io.debezium.time.NanoTime", Kind::kTimeNanos},
    {"io.debezium.time.ZonedTimestamp", Kind::kZonedTimestamp},
    {"io.debezium.time.ZonedTime", Kind::kZonedTime},
    {"io.debezium.time.IsoDate", Kind::kLocalTime},
    {"io.debezium.time.IsoTime", Kind::kLocalTime},
    {"io.debezium.time.IsoTimestamp", Kind::kLocalTime},
    {"io.debezium.time.Interval", Kind::kInterval},
    {"io.debezium.time.MicroDuration", Kind::kDuration},
    {"io.debezium.data.VariableScaleDecimal", Kind::kVariableDecimal},
    {"io.debezium.data.Bits", Kind::kBits},
    {"io.debezium.data.geometry.Point", Kind::kPoint},
    {"io.debezium.data.geometry.Geometry", Kind::kGeometry},
    {"io.debezium.data.geometry.Geography", Kind::kGeometry},
};

Error wrong(std::string_view expected, std::string_view got) {
  return {ErrorCode::kMalformed, fmt::format("expected {}, got {}", expected, excerpt(got))};
}

Error wrong(simdjson::error_code error) {
  return {ErrorCode::kMalformed, simdjson::error_message(error)};
}

int64_t parameter(dom::element schema, const char* name, int64_t otherwise) {
  std::string_view text;
  int64_t value = 0;
  if (schema["parameters"][name].get(text) != simdjson::SUCCESS) return otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

Result<ConnectForm> parse(dom::element schema, int depth) {
  ConnectForm form;
  std::string_view type, name, field;
  if (depth > kSchemaDepthMax) {
    return fail(ErrorCode::kMalformed, "the schema is nested too deeply");
  }
  if (schema["type"].get(type) != simdjson::SUCCESS) {
    return fail(ErrorCode::kMalformed, "the schema has no \"type\"");
  }
  if (schema["field"].get(field) == simdjson::SUCCESS) form.field = field;
  if (schema["name"].get(name) == simdjson::SUCCESS) {
    for (const auto& [semantic, kind] : kSemanticTypes) {
      if (semantic == name) form.kind = kind;
    }
  }
  if (form.kind == Kind::kDecimal) form.number = parameter(schema, "scale", 0);
  if (form.kind == Kind::kBits) form.number = parameter(schema, "length", 0);
  if (form.kind != Kind::kAsIs) return form;
  if (type == "struct") {
    form.kind = Kind::kStruct;
    dom::array fields;
    if (schema["fields"].get(fields) != simdjson::SUCCESS) {
      return fail(ErrorCode::kMalformed, "a struct of the schema has no \"fields\"");
    }
    for (const auto& part : fields) {
      ASSIGN_OR_RETURN(auto parsed, parse(part, depth + 1));
      form.parts.push_back(std::move(parsed));
    }
  } else if (type == "array") {
    form.kind = Kind::kArray;
    dom::element items;
    if (schema["items"].get(items) != simdjson::SUCCESS) {
      return fail(ErrorCode::kMalformed, "an array of the schema has no \"items\"");
    }
    ASSIGN_OR_RETURN(auto parsed, parse(items, depth + 1));
    form.parts.push_back(std::move(parsed));
  }
  return form;
}

Result<int64_t> integer_of(ondemand::value value, std::string_view expected) {
  int64_t number = 0;
  if (value.get_int64().get(number) != simdjson::SUCCESS) {
    return std::unexpected(wrong(expected, scalar_token(value)));
  }
  return number;
}

Result<std::string_view> text_of(ondemand::value value, std::string_view expected) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) {
    return std::unexpected(wrong(expected, scalar_token(value)));
  }
  return text;
}

Result<std::string> bytes_of(ondemand::value value, std::string_view expected) {
  ASSIGN_OR_RETURN(const auto text, text_of(value, expected));
  auto bytes = decode_base64(text);
  if (!bytes) return std::unexpected(wrong(expected, text));
  return std::move(*bytes);
}

Result<void> append_decimal_value(ondemand::value value, int64_t scale, std::string& out) {
  simdjson::ondemand::json_type type;
  if (auto error = value.type().get(type)) return std::unexpected(wrong(error));
  out += '"';
  if (type == ondemand::json_type::number) {  // decimal.format=NUMERIC
    const auto token = scalar_token(value);
    if (!is_json_number(token)) return std::unexpected(wrong("a decimal", token));
    out += token;
  } else {
    ASSIGN_OR_RETURN(const auto bytes, bytes_of(value, "a decimal's bytes in base64"));
    if (!std::in_range<int32_t>(scale) ||
        !append_decimal(bytes, static_cast<int32_t>(scale), out)) {
      return fail(
          ErrorCode::kMalformed,
          fmt::format("expected a decimal of at most {} bytes and a scale of at most {}, got "
                      "{} bytes and scale {}",
                      kDecimalBytesMax, kDecimalScaleMax, bytes.size(), scale));
    }
  }
  out += '"';
  return {};
}

Result<void> append_variable_decimal(ondemand::value value, std::string& out) {
  ondemand::object object;
  ondemand::value scale, unscaled;
  if (value.get_object().get(object) != simdjson::SUCCESS ||
      object.find_field_unordered("scale").get(scale) != simdjson::SUCCESS) {
    return std::unexpected(wrong("an object with scale and value", "something else"));
  }
  ASSIGN_OR_RETURN(const int64_t places, integer_of(scale, "a scale"));
  if (object.find_field_unordered("value").get(unscaled) != simdjson::SUCCESS) {
    return std::unexpected(wrong("an object with scale and value", "one without value"));
  }
  return append_decimal_value(unscaled, places, out);
}

// How PostgreSQL's infinities arrive: its driver says them in milliseconds as in microseconds, and
// of dates they are what no date can be. Source: PGStatement.DATE_POSITIVE_INFINITY; Debezium,
// PostgresValueConverter.
constexpr int64_t kInfinityTime = 9'223'372'036'825'200'000;
constexpr int64_t kMinusInfinityTime = -9'223'372'036'832'400'000;
constexpr int64_t kInfinityDays = 2'145'042'906;  // the day after 5874897-12-31
constexpr int64_t kMinusInfinityDays = -2'440'589;

Result<void> append_time(Kind kind, ondemand::value value, std::string& out) {
  ASSIGN_OR_RETURN(const int64_t number, integer_of(value, "an integer of time"));
  const bool is_date = kind == Kind::kDate;
  const int64_t unit = kind == Kind::kTimestampMillis ? 1000 : 1;
  out += '"';
  if (number >= (is_date ? kInfinityDays : kInfinityTime / unit)) {
    out += "infinity";
  } else if (number <= (is_date ? kMinusInfinityDays : kMinusInfinityTime / unit)) {
    out += "-infinity";
  } else if (is_date) {
    append_date(number, out);
  } else if (kind == Kind::kTimestampNanos) {
    append_timestamp_nanos(number, Zone::kNone, out);
  } else {
    append_timestamp(number * unit, Zone::kNone, out);
  }
  out += '"';
  return {};
}

Result<void> append_clock(ondemand::value value, int64_t unit_nanos, std::string& out) {
  constexpr int64_t kDayNanos = 86'400'000'000'000;
  ASSIGN_OR_RETURN(const int64_t number, integer_of(value, "an integer of time"));
  if (number < 0 || number > kDayNanos / unit_nanos) {
    return std::unexpected(wrong("a time of day", fmt::format("{}", number)));
  }
  out += '"';
  append_time_of_day(number * unit_nanos, out);
  out += '"';
  return {};
}

Result<void> append_time_text(Kind kind, ondemand::value value, std::string& out) {
  ASSIGN_OR_RETURN(auto text, text_of(value, "a time as text"));
  std::string made;
  bool known = true;
  if (kind == Kind::kZonedTimestamp) {
    known = append_utc_timestamp(text, made);
  } else if (kind == Kind::kZonedTime) {
    known = append_zoned_time(text, made);
  } else if (kind == Kind::kInterval) {
    known = append_interval(text, made);
  } else {
    if (text.ends_with('Z')) text.remove_suffix(1);
    made = without_trailing_zeros(text);
  }
  append_json_string(known ? std::string_view(made) : text, out);
  return {};
}

Result<void> append_bits_value(ondemand::value value, int64_t count, std::string& out) {
  ASSIGN_OR_RETURN(const auto bytes, bytes_of(value, "bits in base64"));
  // Of a type without a length, all that came.
  const bool has_length = count > 0 && std::cmp_less_equal(count, bytes.size() * 8);
  out += '"';
  append_bits(bytes, has_length ? static_cast<size_t>(count) : bytes.size() * 8, out);
  out += '"';
  return {};
}

Result<void> append_geometry(Kind kind, ondemand::value value, std::string& out) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) {
    return std::unexpected(wrong("a geometry's object", "something else"));
  }
  if (kind == Kind::kGeometry) {
    ondemand::value wkb;
    if (object.find_field_unordered("wkb").get(wkb) != simdjson::SUCCESS) {
      return std::unexpected(wrong("a geometry with wkb", "one without"));
    }
    ASSIGN_OR_RETURN(const auto bytes, bytes_of(wkb, "wkb in base64"));
    out += '"';
    append_hex(bytes, out);
    out += '"';
    return {};
  }
  out += "\"(";
  for (const char* axis : {"x", "y"}) {
    ondemand::value coordinate;
    if (object.find_field_unordered(axis).get(coordinate) != simdjson::SUCCESS) {
      return std::unexpected(wrong("a point with x and y", "one without"));
    }
    const auto token = scalar_token(coordinate);
    if (!is_json_number(token)) return std::unexpected(wrong("a coordinate", token));
    if (*axis == 'y') out += ',';
    out += token.ends_with(".0") ? token.substr(0, token.size() - 2) : token;
  }
  out += ")\"";
  return {};
}

Result<void> append_array(const ConnectForm& form, ondemand::value value, int depth,
                          std::string& out) {
  ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) {
    return std::unexpected(wrong("an array", "something else"));
  }
  out += '[';
  bool first = true;
  for (auto element : array) {
    ondemand::value next;
    if (auto error = element.get(next)) return std::unexpected(wrong(error));
    if (!std::exchange(first, false)) out += ',';
    RETURN_IF_ERROR(append_canonical(form.parts.front(), next, depth + 1, out));
  }
  out += ']';
  return {};
}

Result<void> append_as_is(ondemand::value value, int depth, std::string& out) {
  if (auto error = append_value(value, depth, out)) return std::unexpected(wrong(error));
  return {};
}

Result<void> append_fields(const ConnectForm& form, ondemand::value value, int depth,
                           std::string& out) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) {
    return std::unexpected(wrong("an object", "something else"));
  }
  return append_canonical_fields(form, object, depth, out);
}

}  // namespace

const ConnectForm* ConnectForm::find(std::string_view name, size_t& hint) const {
  for (size_t tried = 0; tried < parts.size(); ++tried) {
    const size_t place = (hint + tried) % parts.size();
    if (parts[place].field != name) continue;
    hint = place + 1;
    return &parts[place];
  }
  return nullptr;
}

Result<ConnectForm> parse_connect_schema(std::string_view schema) {
  dom::parser parser;
  dom::element element;
  if (auto error = parser.parse(schema.data(), schema.size()).get(element)) {
    return std::unexpected(wrong(error));
  }
  return parse(element, 0);
}

Result<void> append_canonical(const ConnectForm& form, ondemand::value value, int depth,
                              std::string& out) {
  if (depth > kJsonDepthMax) return std::unexpected(wrong(simdjson::DEPTH_ERROR));
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return std::unexpected(wrong(error));
  if (type == ondemand::json_type::null) return append_as_is(value, depth, out);
  switch (form.kind) {
    case Kind::kAsIs:
      return append_as_is(value, depth, out);
    case Kind::kDecimal:
      return append_decimal_value(value, form.number, out);
    case Kind::kVariableDecimal:
      return append_variable_decimal(value, out);
    case Kind::kDate:
    case Kind::kTimestampMillis:
    case Kind::kTimestampMicros:
    case Kind::kTimestampNanos:
      return append_time(form.kind, value, out);
    case Kind::kTimeMillis:
      return append_clock(value, 1'000'000, out);
    case Kind::kTimeMicros:
      return append_clock(value, 1'000, out);
    case Kind::kTimeNanos:
      return append_clock(value, 1, out);
    case Kind::kZonedTimestamp:
    case Kind::kZonedTime:
    case Kind::kLocalTime:
    case Kind::kInterval:
      return append_time_text(form.kind, value, out);
    case Kind::kDuration: {
      ASSIGN_OR_RETURN(const int64_t micros, integer_of(value, "microseconds"));
      out += '"';
      append_duration(micros, out);
      out += '"';
      return {};
    }
    case Kind::kBits:
      return append_bits_value(value, form.number, out);
    case Kind::kPoint:
    case Kind::kGeometry:
      return append_geometry(form.kind, value, out);
    case Kind::kArray:
      return append_array(form, value, depth, out);
    case Kind::kStruct:
      return append_fields(form, value, depth, out);
  }
  return {};
}

Result<void> append_canonical_fields(const ConnectForm& form, ondemand::object object, int depth,
                                     std::string& out) {
  static const ConnectForm kUnknown;
  size_t hint = 0;
  out += '{';
  bool first = true;
  for (auto field : object) {
    std::string_view key;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(key)) return std::unexpected(wrong(error));
    if (auto error = field.value().get(value)) return std::unexpected(wrong(error));
    if (!std::exchange(first, false)) out += ',';
    append_json_string(key, out);
    out += ':';
    const auto* part = form.find(key, hint);
    auto appended = append_canonical(part != nullptr ? *part : kUnknown, value, depth + 1, out);
    if (!appended) return fail(appended.error(), fmt::format("column {}", excerpt(key)));
  }
  out += '}';
  return {};
}

}  // namespace searchsync::worker
