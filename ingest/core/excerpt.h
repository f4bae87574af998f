#pragma once

#include <string>
#include <string_view>

namespace searchsync::ingest {

// As much of what somebody sent as an answer repeats: whole characters, at most 100 bytes.
std::string_view excerpt(std::string_view text);

// The same of what may not even be a text.
std::string printable_excerpt(std::string_view bytes);

}  // namespace searchsync::ingest
