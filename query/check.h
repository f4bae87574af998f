#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::query {

// What is wrong with how indices are to be queried, as the mappings are: of what lib/model has
// found to be well-formed. Sorted. The query service runs all the same, without the parts
// concerned.
std::vector<model::Fault> check_queries(const model::Resources& resources,
                                        const model::Origins& origins);

}  // namespace searchsync::query
