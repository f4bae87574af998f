#pragma once

#include <cstddef>
#include <string_view>

namespace searchsync {

// The longest start of `text` of at most `bytes_max` bytes that does not end inside a character.
// text: UTF-8.
std::string_view cut_utf8(std::string_view text, size_t bytes_max);

}  // namespace searchsync
