#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// The faults of indices and bindings with `tables` as they are seen together: each such index has
// one such binding, and no other; and each such binding such an index. Pure.
std::vector<Fault> validate_tables(const Resources& resources, const Origins& origins);

// The selection of a binding that reads all tables of a database; null: another binding.
const TableSelection* selection_of(const SourceBinding& binding);

}  // namespace searchsync::model
