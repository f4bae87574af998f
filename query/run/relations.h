#pragma once

#include <vector>

#include "lib/model/role_config.h"
#include "query/keys.h"
#include "query/rules.h"

namespace searchsync::query {

// The relations of the index, as who may ask everything may go them. One that cannot be gone has
// its problem.
std::vector<Relation> read_relations(const model::PipelineConfig& config,
                                     const FieldCatalog& catalog);

// Leaves in the rules of a key those that it may go: of which it may see both fields, or else
// relating would tell what is in them. Errors: a grant of the key does not fit the other index.
Result<void> restrict_relations(const model::PipelineConfig& config, const ApiKey& key,
                                Rules& rules);

}  // namespace searchsync::query
