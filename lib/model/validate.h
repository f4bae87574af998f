#pragma once

#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// Everything wrong with the resources that only shows when they are seen together: references,
// roots, cycles, fields that collide or that strict mappings do not have, two indices with one
// name.
//
// resources: parsed, so each is well-formed by itself.
// origins: where they were written; Origins{} for what came from Kubernetes.
// Returns the faults, sorted. Pure.
std::vector<Fault> validate(const Resources& resources, const Origins& origins);

// What is wrong with the relations of queries: of indices that are declared together with all that
// they may lead to, as in a folder. Sorted. Pure.
std::vector<Fault> validate_relations(const Resources& resources, const Origins& origins);

}  // namespace searchsync::model
