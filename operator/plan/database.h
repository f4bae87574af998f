#pragma once

// An index with `tables`: what it is itself, beside the indices of its tables, which are planned as
// all indices are.

#include <vector>

#include "operator/plan/plan.h"

namespace searchsync::plan {

// The one query service of all its tables, and how they stand together. A table without a plan, or
// whose plan holds and does not say what is served, cannot be looked at now: until it can the
// service that runs stays as it is. But for one that is stalled and was never served.
IndexPlan plan_database(const Observed& observed, const model::SearchIndex& index,
                        const TablePlans& tables);

}  // namespace searchsync::plan
