#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace searchsync {

enum class Spaces { kRefused, kLeftOut };  // blanks, tabs and line breaks

// Standard alphabet, padded. Nothing if it is anything else. Source: RFC 4648, section 4.
std::optional<std::string> decode_base64(std::string_view text, Spaces spaces = Spaces::kRefused);
std::string encode_base64(std::string_view bytes);

}  // namespace searchsync
