#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace searchsync::dlq {

enum class Backslash { kDoubled, kAsItIs };

// Any bytes, for a terminal: UTF-8 stays, but control characters, and bytes that are no UTF-8,
// become \n, \t, … or \x1b.
std::string printable(std::string_view bytes, Backslash backslash = Backslash::kDoubled);

// The same, and if that has more than `characters_max` characters, its beginning and "…".
std::string excerpt(std::string_view bytes, size_t characters_max);

// JSON in lines, indented; several texts on lines of their own likewise. Numbers, strings and the
// order of fields stay exactly as they are. Nothing if it is no JSON.
std::optional<std::string> pretty_json(std::string_view text);

}  // namespace searchsync::dlq
