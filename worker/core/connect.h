#pragma once

// Values as Kafka Connect's JSON converter writes them, with the schema that says what they mean.

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::worker {

// How the values of one schema become canonical.
struct ConnectForm {
  enum class Kind : uint8_t {
    kAsIs,
    kDecimal,          // base64 of the unscaled value
    kVariableDecimal,  // {"scale":2,"value":"base64"}
    kDate,             // days
    kTimestampMillis,
    kTimestampMicros,
    kTimestampNanos,
    kTimeMillis,
    kTimeMicros,
    kTimeNanos,
    kZonedTimestamp,
    kZonedTime,
    kLocalTime,  // text with a Z that means nothing
    kInterval,
    kDuration,  // microseconds
    kBits,      // base64, little-endian
    kPoint,     // {"x":1,"y":2,…}
    kGeometry,  // {"wkb":"base64",…}
    kArray,
    kStruct,
  };

  std::string field;  // in the struct that holds it
  Kind kind = Kind::kAsIs;
  int64_t number = 0;              // kDecimal: the scale; kBits: how many
  std::vector<ConnectForm> parts;  // kStruct: the fields; kArray: the element

  // kStruct: the form of a field, or nullptr. The field after `hint` is tried first; moves `hint`.
  const ConnectForm* find(std::string_view name, size_t& hint) const;
};

// schema: the JSON text of a Connect schema. Errors: kMalformed.
Result<ConnectForm> parse_connect_schema(std::string_view schema);

// Appends a value's canonical JSON. Errors: kMalformed: it is not what the schema says.
Result<void> append_canonical(const ConnectForm& form, simdjson::ondemand::value value, int depth,
                              std::string& out);

// A struct's fields, as an object. The error names the field.
Result<void> append_canonical_fields(const ConnectForm& form, simdjson::ondemand::object object,
                                     int depth, std::string& out);

}  // namespace searchsync::worker
