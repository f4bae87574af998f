#pragma once

#include <filesystem>
#include <string>

#include "lib/base/error.h"

namespace searchsync::kube {

// The whole of a small file. Errors: kNotFound, kPermission, kLimit over 1 MiB; they name it.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace searchsync::kube
