#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace searchsync::http {

// What a gzip stream holds: one member or several, and nothing behind them.
// Errors: kMalformed if it is no such stream, or is cut off; kLimit over `bytes_max`.
// Source: RFC 1952.
Result<std::string> gunzip(std::string_view compressed, size_t bytes_max);

}  // namespace searchsync::http
