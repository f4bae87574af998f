#pragma once

#include <string>
#include <string_view>

namespace searchsync::elastic {

// Appends `text` as a JSON string, quotes included. text: UTF-8.
void append_quoted(std::string& json, std::string_view text);

}  // namespace searchsync::elastic
