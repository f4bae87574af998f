#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace searchsync::query {

// Where the next page begins: the sort values of the last document of this one. It needs nothing to
// be kept between requests, never expires, and works across a swap of the alias. It is bound to the
// filter and sort that it comes from, since with others its values would mean something else.

// values: JSON array, as the engine gave it. query: what the cursor is bound to.
std::string encode_cursor(std::string_view values, std::string_view query);

enum class CursorFault {
  kUnreadable,  // not one that we made
  kOtherQuery,  // made for another filter or sort
};

struct Cursor {
  std::string values;  // JSON array; meaningful without a fault
  std::optional<CursorFault> fault;
};

// count: how many values there must be. Only scalars are let through.
Cursor decode_cursor(std::string_view text, std::string_view query, size_t count);

}  // namespace searchsync::query
