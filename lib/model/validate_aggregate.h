#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// What is wrong with aggregates beyond what each says of itself: columns that are not there, of the
// events or of the rows, and names that are there twice.
std::vector<Fault> validate_aggregates(const Resources& resources, const Origins& origins);

}  // namespace searchsync::model
