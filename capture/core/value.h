#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace searchsync::capture {

// How a column's text becomes JSON.
enum class ValueKind : uint8_t {
  kText,         // a string: the text as it is
  kBool,         // t, f
  kNumber,       // a JSON number; NaN and infinities as strings
  kBytes,        // \x… becomes base64
  kTimestamp,    // 2024-01-15 10:30:00.5
  kTimestampTz,  // 2024-01-15 10:30:00.5+00, in UTC
  kTimeTz,       // 10:30:00+02
};

struct ValueType {
  ValueKind kind = ValueKind::kText;
  char array_delimiter = '\0';  // not an array: '\0'

  friend bool operator==(const ValueType&, const ValueType&) = default;
};

// The types with a fixed OID whose form is not their text. nullopt: any other type, among them
// those that a database defines. Source: PostgreSQL, src/include/catalog/pg_type.dat.
std::optional<ValueType> builtin_type(uint32_t oid);

// Appends "text", quoted and escaped. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Appends the canonical JSON of a value that is not null, whose text was made with the session
// settings of postgres::canonical_text_settings(). Whatever the text, the result is one JSON value:
// a text that its type cannot have becomes a string.
void append_json_value(std::string& out, ValueType type, std::string_view text);

}  // namespace searchsync::capture
