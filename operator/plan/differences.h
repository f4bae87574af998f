#pragma once

#include <span>
#include <string>

#include "lib/model/role_config.h"

namespace searchsync::plan {

// Why the declared resources need another generation than `recipe`'s, for people: "mappings, fields
// of bug". Empty if they do not.
std::string differences(const model::PipelineConfig& recipe, const model::SearchIndex& index,
                        std::span<const model::SourceBinding> bindings);

}  // namespace searchsync::plan
