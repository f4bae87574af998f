#include "lib/elastic/json_text.h"

namespace searchsync::elastic {

void append_quoted(std::string& json, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  json.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        json.append("\\\"");
        break;
      case '\\':
        json.append("\\\\");
        break;
      case '\n':
        json.append("\\n");
        break;
      case '\r':
        json.append("\\r");
        break;
      case '\t':
        json.append("\\t");
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20) {
          json.push_back(c);
        } else {
          json.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
        }
      }
    }
  }
  json.push_back('"');
}

std::string_view cut_utf8(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace searchsync::elastic
