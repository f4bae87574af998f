#pragma once

#include <string>

namespace searchsync::model {

// docs/resources.md: every field of the resources with its type, default, bounds and meaning, as
// Markdown.
std::string render_reference();

}  // namespace searchsync::model
