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

}  // namespace searchsync::elastic
