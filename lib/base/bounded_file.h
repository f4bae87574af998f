#pragma once

#include <filesystem>
#include <string>

#include "lib/base/error.h"

namespace searchsync {

// The whole of a file. Errors: kPermission if it cannot be read, kLimit over `bytes_max`; they name
// it.
Result<std::string> read_bounded_file(const std::filesystem::path& path, size_t bytes_max);

}  // namespace searchsync
