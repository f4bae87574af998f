#pragma once

// JSON that others wrote, looked at before it is kept: simdjson's on-demand parser has checked its
// structure, its strings' bytes and that it is UTF-8, but not the scalars that nobody reads.

#include <simdjson.h>

#include <string>
#include <string_view>

namespace searchsync::worker {

inline constexpr int kJsonDepthMax = 64;

// As much of what was read as an error repeats.
inline std::string_view excerpt(std::string_view text) {
  return text.substr(0, 100);
}

// Which bytes of a text need a closer look.
struct ByteKinds {
  bool control = false;  // below 0x20
  bool backslash = false;
};
ByteKinds byte_kinds(std::string_view text);

// Whether it follows JSON's grammar of numbers.
bool is_json_number(std::string_view text);

// Whether nothing follows the value that was read.
bool at_end(simdjson::ondemand::document& document);

// Without the whitespace behind it, which the parser's views of raw JSON have.
std::string_view trimmed(std::string_view json);

// The token of a scalar.
std::string_view scalar_token(simdjson::ondemand::value value);

// Checks every scalar and escape in an object. kinds: of its text. depth: 0 at the top; more than
// kJsonDepthMax levels are an error.
simdjson::error_code check_object(simdjson::ondemand::object object, ByteKinds kinds, int depth);

// Checks a value and appends it without whitespace.
simdjson::error_code append_value(simdjson::ondemand::value value, int depth, std::string& out);

}  // namespace searchsync::worker
