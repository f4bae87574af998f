#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// What is wrong with HTTP sources beyond what each says of itself: paths that cannot be told apart
// within an index, topics that two write, columns that a relation or field needs and no event has.
std::vector<Fault> validate_http(const Resources& resources, const Origins& origins);

}  // namespace searchsync::model
