#include "capture/core/value.h"

#include <array>
#include <cstring>

#include "capture/core/array_text.h"

namespace searchsync::capture {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length of the UTF-8 sequence at `at`, 0 if there is none. Source: RFC 3629, section 4.
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned b0 = byte(0);
  const unsigned b1 = byte(1);
  if (b0 >= 0xC2 && b0 <= 0xDF) return tail(1) ? 2 : 0;
  if (b0 >= 0xE0 && b0 <= 0xEF) {
    const bool range = (b0 != 0xE0 || b1 >= 0xA0) && (b0 != 0xED || b1 <= 0x9F);
    return range && tail(1) && tail(2) ? 3 : 0;
  }
  if (b0 >= 0xF0 && b0 <= 0xF4) {
    const bool range = (b0 != 0xF0 || b1 >= 0x90) && (b0 != 0xF4 || b1 <= 0x8F);
    return range && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// Bytes that a JSON string holds as they are: printable ASCII without quote and backslash.
constexpr std::array<bool, 256> plain_bytes() {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = plain_bytes();

void append_control(std::string& out, unsigned char c) {
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      out += "\\u00";
      out += kHexDigits[c >> 4];
      out += kHexDigits[c & 15];
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  out += text;
  out += '"';
}

bool digits(std::string_view text, size_t& at) {
  const size_t start = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at > start;
}

// Source: RFC 8259, section 6.
bool is_json_number(std::string_view text) {
  size_t at = 0;
  if (at < text.size() && text[at] == '-') ++at;
  const size_t first = at;
  if (!digits(text, at) || (text[first] == '0' && at > first + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits(text, at)) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits(text, at)) return false;
  }
  return at == text.size();
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False, and nothing appended, if the text is no \x… of whole bytes.
bool append_base64_of_hex(std::string& out, std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  const size_t start = out.size();
  const std::string_view hex = text.substr(2);
  out += '"';
  for (size_t at = 0; at < hex.size(); at += 6) {
    uint32_t group = 0;
    size_t count = 0;
    for (; count < 3 && at + 2 * count < hex.size(); ++count) {
      const int high = hex_digit(hex[at + 2 * count]);
      const int low = hex_digit(hex[at + 2 * count + 1]);
      if (high < 0 || low < 0) {
        out.resize(start);
        return false;
      }
      group |= static_cast<uint32_t>(high << 4 | low) << (16 - 8 * count);
    }
    for (size_t i = 0; i < 4; ++i) {
      out += i <= count ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  out += '"';
  return true;
}

// "2024-01-15 10:30:00.5" with the space as T and `suffix` in place of an offset of zero. An era
// stays behind it, as in "0044-03-15T10:30:00Z BC".
bool append_timestamp(std::string& out, std::string_view text, std::string_view suffix) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;  // infinity
  std::string_view time = text.substr(space + 1);
  std::string_view era;
  if (const size_t end = time.find(' '); end != std::string_view::npos) {
    era = time.substr(end);
    time = time.substr(0, end);
  }
  if (!suffix.empty()) {
    if (!time.ends_with("+00")) return false;
    time.remove_suffix(3);
  }
  for (const std::string_view part : {text.substr(0, space), time, era}) {
    for (const char c : part) {
      if (!kPlain[static_cast<unsigned char>(c)]) return false;
    }
  }
  out += '"';
  out += text.substr(0, space);
  out += 'T';
  out += time;
  out += suffix;
  out += era;
  out += '"';
  return true;
}

// An offset of whole hours gets its minutes: +02 becomes +02:00.
void append_timetz(std::string& out, std::string_view text) {
  const size_t sign = text.find_first_of("+-");
  append_json_string(out, text);
  if (sign != std::string_view::npos && text.size() - sign == 3) {
    out.pop_back();
    out += ":00\"";
  }
}

void append_number(std::string& out, std::string_view text) {
  if (is_json_number(text)) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

void append_scalar(std::string& out, ValueKind kind, std::string_view text) {
  switch (kind) {
    case ValueKind::kText:
      break;
    case ValueKind::kBool:
      if (text == "t" || text == "f") {
        out += text == "t" ? "true" : "false";
        return;
      }
      break;
    case ValueKind::kNumber:
      append_number(out, text);
      return;
    case ValueKind::kBytes:
      if (append_base64_of_hex(out, text)) return;
      break;
    case ValueKind::kTimestamp:
      if (append_timestamp(out, text, "")) return;
      break;
    case ValueKind::kTimestampTz:
      if (append_timestamp(out, text, "Z")) return;
      break;
    case ValueKind::kTimeTz:
      append_timetz(out, text);
      return;
  }
  append_json_string(out, text);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  size_t at = 0;
  while (at < text.size() && kPlain[static_cast<unsigned char>(text[at])]) ++at;
  if (at == text.size()) {
    append_quoted(out, text);
    return;
  }
  out += '"';
  size_t copied = 0;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (kPlain[c]) {
      ++at;
      continue;
    }
    if (const size_t length = c >= 0x80 ? utf8_length(text, at) : 0; length > 0) {
      at += length;
      continue;
    }
    out += text.substr(copied, at - copied);
    if (c >= 0x80) {
      out += kReplacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == 0x7F) {
      out += static_cast<char>(c);
    } else {
      append_control(out, c);
    }
    copied = ++at;
  }
  out += text.substr(copied);
  out += '"';
}

void append_json_value(std::string& out, ValueType type, std::string_view text) {
  if (type.array_delimiter == '\0') {
    append_scalar(out, type.kind, text);
    return;
  }
  const size_t start = out.size();
  ArrayText array(text, type.array_delimiter);
  const bool whole = array.visit([&](char bracket) { out += bracket; },
                                 [&](std::optional<std::string_view> element) {
                                   if (element) {
                                     append_scalar(out, type.kind, *element);
                                   } else {
                                     out += "null";
                                   }
                                 });
  if (whole) return;
  out.resize(start);
  append_json_string(out, text);
}

std::optional<ValueType> builtin_type(uint32_t oid) {
  switch (oid) {
    case 16:
      return ValueType{ValueKind::kBool};
    case 17:
      return ValueType{ValueKind::kBytes};
    case 20:   // int8
    case 21:   // int2
    case 23:   // int4
    case 26:   // oid
    case 700:  // float4
    case 701:
      return ValueType{ValueKind::kNumber};
    case 1114:
      return ValueType{ValueKind::kTimestamp};
    case 1184:
      return ValueType{ValueKind::kTimestampTz};
    case 1266:
      return ValueType{ValueKind::kTimeTz};
    case 18:    // "char"
    case 19:    // name
    case 25:    // text
    case 114:   // json
    case 142:   // xml
    case 650:   // cidr
    case 790:   // money
    case 829:   // macaddr
    case 869:   // inet
    case 1042:  // char(n)
    case 1043:  // varchar
    case 1082:  // date
    case 1083:  // time
    case 1186:  // interval
    case 1560:  // bit
    case 1562:  // varbit
    case 1700:  // numeric
    case 2950:  // uuid
    case 3802:
      return ValueType{ValueKind::kText};
    default:
      return std::nullopt;
  }
}

}  // namespace searchsync::capture
