#pragma once

#include <string>
#include <vector>

namespace searchsync::control {

// Rows of cells for a terminal: columns as wide as their widest cell, two spaces between.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace searchsync::control
