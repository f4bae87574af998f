#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace searchsync::elastic {

// Appends `text` as a JSON string, quotes included. text: UTF-8.
void append_quoted(std::string& json, std::string_view text);

// The longest start of `text` of at most `bytes_max` bytes that does not end inside a character.
std::string_view cut_utf8(std::string_view text, size_t bytes_max);

}  // namespace searchsync::elastic
