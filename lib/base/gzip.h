#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace searchsync {

// Source of all: RFC 1952.

std::string gzip(std::string_view text);

// Whether it begins as a gzip stream does, and as no text.
bool is_gzip(std::string_view bytes);

// What a gzip stream holds: one member or several, and nothing behind them.
// Errors: kMalformed if it is no such stream, or is cut off; kLimit over `bytes_max`.
Result<std::string> gunzip(std::string_view compressed, size_t bytes_max);

}  // namespace searchsync
