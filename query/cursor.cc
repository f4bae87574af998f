#include "query/cursor.h"

#include <array>
#include <cstdint>
#include <variant>

#include "lib/base/hash.h"
#include "lib/model/json.h"

namespace searchsync::query {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kCursorBytesMax = 64 * 1024;
constexpr int kHashDigits = 16;

// Base64 for URLs, without padding. Source: RFC 4648, section 5.
std::string encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text.push_back(kAlphabet[(bits >> (count - 6)) & 63]);
  }
  if (count > 0) text.push_back(kAlphabet[(bits << (6 - count)) & 63]);
  return text;
}

std::optional<std::string> decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>((bits >> count) & 0xFF));
  }
  return bytes;
}

bool is_scalar(const model::Node& node) {
  return node.sequence() == nullptr && node.mapping() == nullptr;
}

}  // namespace

std::string encode_cursor(std::string_view values, std::string_view query) {
  std::string bytes = stable_hash_hex(query, kHashDigits);
  bytes += values;
  return encode(bytes);
}

Cursor decode_cursor(std::string_view text, std::string_view query, size_t count) {
  const Cursor unreadable{.values = {}, .fault = CursorFault::kUnreadable};
  if (text.size() > kCursorBytesMax) return unreadable;
  const auto bytes = decode(text);
  if (!bytes || bytes->size() <= kHashDigits) return unreadable;
  const std::string_view hash = std::string_view(*bytes).substr(0, kHashDigits);
  const auto values = model::parse_json(std::string_view(*bytes).substr(kHashDigits));
  if (!values || values->sequence() == nullptr) return unreadable;
  if (hash != stable_hash_hex(query, kHashDigits)) {
    return {.values = {}, .fault = CursorFault::kOtherQuery};
  }
  if (values->sequence()->size() != count) return unreadable;
  for (const model::Node& value : *values->sequence()) {
    if (!is_scalar(value)) return unreadable;
  }
  return {.values = to_json(*values), .fault = std::nullopt};
}

}  // namespace searchsync::query
