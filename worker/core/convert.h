#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/model/resources.h"

namespace searchsync::worker {

// Appends a JSON fragment, converted to the type of a field, to `out`. null stays null.
// Errors: kMalformed, with the value (cut to 100 bytes) and what was expected.
Result<void> convert(std::string_view fragment, model::FieldType type, std::string& out);

// Appends text as a JSON string, with quotes.
void append_json_string(std::string_view text, std::string& out);

}  // namespace searchsync::worker
