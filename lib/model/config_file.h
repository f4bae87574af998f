#pragma once

#include <filesystem>
#include <string>

#include "lib/base/error.h"

namespace searchsync::model {

// The JSON of a role's configuration (role_config.h), as text: a file may have it compressed, as
// that of a large database is in a ConfigMap. At most 64 MiB. Errors name the file: kPermission if
// it cannot be read, kMalformed, kLimit.
Result<std::string> read_config_file(const std::filesystem::path& path);

}  // namespace searchsync::model
