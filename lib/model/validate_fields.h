#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// A row that is at the top of a document (the root) or of the objects of an array in it (children,
// a link), with the lookups whose fields go into the same object.
struct FieldLevel {
  const SourceBinding* top = nullptr;
  std::vector<const SourceBinding*> lookups;
};

// The faults of the fields of one index: two that write the same place, a value where another
// writes an object, and fields that the mappings, if strict, do not have; and by what
// it is partitioned. index: null if it is not
// known; then nothing is said about mappings.
std::vector<Fault> validate_fields(const SearchIndex* index, const std::vector<FieldLevel>& levels,
                                   const Origins& origins);

}  // namespace searchsync::model
