#include "worker/core/json_check.h"

#include <cstring>

#include "worker/core/convert.h"

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;
using ondemand::json_type;
using simdjson::error_code;

constexpr uint64_t repeat(uint64_t byte) {
  return byte * 0x0101'0101'0101'0101;
}

// The high bit of each byte that is smaller than `bound`, at most 128; true or not for those behind
// the first.
constexpr uint64_t below(uint64_t bytes, uint64_t bound) {
  return (bytes - repeat(bound)) & ~bytes & repeat(0x80);
}

error_code check_string(ondemand::value value, std::string_view token) {
  if (token.size() < 2 || token.back() != '"') return simdjson::STRING_ERROR;
  if (std::memchr(token.data(), '\\', token.size()) == nullptr) {
    // Read all the same: a string it has to skip the parser takes for a name if a colon follows.
    ondemand::raw_json_string passed;
    return value.get_raw_json_string().get(passed);
  }
  std::string_view unescaped;
  return value.get_string().get(unescaped);
}

error_code check_scalar(json_type type, ondemand::value value, std::string_view token) {
  switch (type) {
    case json_type::string:
      return check_string(value, token);
    case json_type::number:
      return is_json_number(token) ? simdjson::SUCCESS : simdjson::NUMBER_ERROR;
    case json_type::boolean:
      return token == "true" || token == "false" ? simdjson::SUCCESS : simdjson::T_ATOM_ERROR;
    case json_type::null:
      return token == "null" ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    case json_type::object:
    case json_type::array:
      break;
  }
  return simdjson::INCORRECT_TYPE;
}

error_code check_value(ondemand::value value, ByteKinds kinds, int depth) {
  if (depth > kJsonDepthMax) return simdjson::DEPTH_ERROR;
  json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == json_type::object) {
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    return check_object(object, kinds, depth);
  }
  if (type == json_type::array) {
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    for (auto element : array) {
      ondemand::value next;
      if (auto error = element.get(next)) return error;
      if (auto error = check_value(next, kinds, depth + 1)) return error;
    }
    return simdjson::SUCCESS;
  }
  return check_scalar(type, value, scalar_token(value));
}

error_code append_object(ondemand::object object, int depth, std::string& out) {
  out += '{';
  bool first = true;
  for (auto field : object) {
    std::string_view key;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(key)) return error;
    if (!first) out += ',';
    first = false;
    append_json_string(key, out);
    out += ':';
    if (auto error = field.value().get(value)) return error;
    if (auto error = append_value(value, depth + 1, out)) return error;
  }
  out += '}';
  return simdjson::SUCCESS;
}

error_code append_array(ondemand::array array, int depth, std::string& out) {
  out += '[';
  bool first = true;
  for (auto element : array) {
    ondemand::value value;
    if (auto error = element.get(value)) return error;
    if (!first) out += ',';
    first = false;
    if (auto error = append_value(value, depth + 1, out)) return error;
  }
  out += ']';
  return simdjson::SUCCESS;
}

}  // namespace

ByteKinds byte_kinds(std::string_view text) {
  uint64_t control = 0, backslash = 0;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, 8);
    control |= below(bytes, 0x20);
    backslash |= below(bytes ^ repeat('\\'), 1);
  }
  ByteKinds kinds{.control = control != 0, .backslash = backslash != 0};
  for (; at < text.size(); ++at) {
    kinds.control |= static_cast<unsigned char>(text[at]) < 0x20;
    kinds.backslash |= text[at] == '\\';
  }
  return kinds;
}

// Source: RFC 8259, section 6.
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

// Past the last value there is no location.
bool at_end(ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

std::string_view trimmed(std::string_view json) {
  const auto last = json.find_last_not_of(" \t\r\n");
  return json.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

std::string_view scalar_token(ondemand::value value) {
  return trimmed(value.raw_json_token());
}

error_code check_object(ondemand::object object, ByteKinds kinds, int depth) {
  for (auto field : object) {
    std::string_view key;
    ondemand::value value;
    if (kinds.backslash) {
      if (auto error = field.unescaped_key().get(key)) return error;
    }
    if (auto error = field.value().get(value)) return error;
    if (auto error = check_value(value, kinds, depth + 1)) return error;
  }
  return simdjson::SUCCESS;
}

error_code append_value(ondemand::value value, int depth, std::string& out) {
  if (depth > kJsonDepthMax) return simdjson::DEPTH_ERROR;
  json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == json_type::object) {
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    return append_object(object, depth, out);
  }
  if (type == json_type::array) {
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    return append_array(array, depth, out);
  }
  const auto token = scalar_token(value);
  if (auto error = check_scalar(type, value, token)) return error;
  out += token;
  return simdjson::SUCCESS;
}

}  // namespace searchsync::worker
