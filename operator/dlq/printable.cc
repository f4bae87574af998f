#include "operator/dlq/printable.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace searchsync::dlq {
namespace {

// The length of the UTF-8 character that `bytes` begins with; 0 if it is none, or a control
// character. Source: Unicode 15, table 3-7; C0, DEL and C1.
size_t character(std::string_view bytes) {
  const auto at = [&](size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const auto follows = [&](size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned lead = at(0);
  if (lead < 0x80U) return lead >= 0x20U && lead != 0x7FU ? 1 : 0;
  if (lead >= 0xC2U && lead <= 0xDFU) {
    return follows(1) && !(lead == 0xC2U && at(1) < 0xA0U) ? 2 : 0;
  }
  if (lead >= 0xE0U && lead <= 0xEFU) {
    const bool shortest = lead != 0xE0U || at(1) >= 0xA0U;
    const bool surrogate = lead == 0xEDU && at(1) >= 0xA0U;
    return follows(1) && follows(2) && shortest && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0U && lead <= 0xF4U) {
    const bool shortest = lead != 0xF0U || at(1) >= 0x90U;
    const bool in_range = lead != 0xF4U || at(1) < 0x90U;
    return follows(1) && follows(2) && follows(3) && shortest && in_range ? 4 : 0;
  }
  return 0;
}

std::string escaped(char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:  // of all bytes
      return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  }
}

// Takes what stands for one character from the front.
std::string take(std::string_view& bytes, Backslash backslash = Backslash::kDoubled) {
  const size_t length = character(bytes);
  std::string text = length > 0 ? std::string(bytes.substr(0, length)) : escaped(bytes.front());
  if (text == "\\" && backslash == Backslash::kDoubled) text += '\\';
  bytes.remove_prefix(std::max<size_t>(length, 1));
  return text;
}

// Of one JSON text that is known to be right.
class Indenter {
 public:
  std::string indent(std::string_view text) {
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (quoted) {
        out_ += c;
        if (c == '\\') out_ += text[++i];
        quoted = c != '"';
      } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
        quoted = c == '"';
        put(c);
      }
    }
    return std::move(out_);
  }

 private:
  void put(char c) {
    const bool closes = c == '}' || c == ']';
    if (closes) --depth_;
    const bool empty = closes && opened_;
    if ((opened_ || closes) && !empty) line();
    opened_ = c == '{' || c == '[';
    if (opened_) ++depth_;
    out_ += c;
    if (c == ',') line();
    if (c == ':') out_ += ' ';
  }
  void line() { out_.append("\n").append(2 * depth_, ' '); }

  std::string out_;
  size_t depth_ = 0;
  bool opened_ = false;  // the last thing written opens an object or list
};

}  // namespace

std::string printable(std::string_view bytes, Backslash backslash) {
  std::string text;
  while (!bytes.empty()) text += take(bytes, backslash);
  return text;
}

std::string excerpt(std::string_view bytes, size_t characters_max) {
  std::string text;
  for (size_t i = 0; i < characters_max && !bytes.empty(); ++i) text += take(bytes);
  return bytes.empty() ? text : text + "…";
}

std::optional<std::string> pretty_json(std::string_view text) {
  if (nlohmann::json::accept(text)) return Indenter().indent(text);
  std::string all;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto one = text.substr(0, end);
    if (!nlohmann::json::accept(one)) return std::nullopt;
    all += (all.empty() ? "" : "\n") + Indenter().indent(one);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all.empty() ? std::nullopt : std::optional(all);
}

}  // namespace searchsync::dlq
