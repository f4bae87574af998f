#pragma once

#include <span>
#include <string>
#include <string_view>

namespace searchsync::postgres {

// A name as SQL takes it whatever its characters: "bugs", with quotes inside doubled.
std::string quote_identifier(std::string_view name);
// "public"."bugs"
std::string quote_qualified(std::string_view schema, std::string_view name);
// 'text', with quotes doubled; right because every connection of ours has
// standard_conforming_strings on.
std::string quote_literal(std::string_view text);
// The text form of a one-dimensional text[]: {"a","b"}.
std::string array_literal(std::span<const std::string> values);

}  // namespace searchsync::postgres
