#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/model/node.h"

namespace searchsync::model {

// Deeper than YAML may be: what was read from YAML is embedded in other JSON.
inline constexpr int kJsonDepthMax = 96;

// Reads one JSON text. Positions are not known. Numbers keep their exact text.
// text: UTF-8, at most 16 MiB and kJsonDepthMax deep.
// Errors: kMalformed, also for a key given twice; kLimit.
Result<Node> parse_json(std::string_view text);

// The same JSON with the keys of every object sorted and no spaces. For hashing.
Result<std::string> canonical_json(std::string_view text);

}  // namespace searchsync::model
