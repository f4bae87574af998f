#pragma once

// What the planner reports, as the status of the resources. Pure.

#include <chrono>
#include <string>

#include "lib/model/status.h"
#include "operator/plan/plan.h"

namespace searchsync::cluster {

// former: what the resource says now; a condition's time goes on from there as long as its status
// is the same, and so do the notes.
model::SearchIndexStatus to_status(const plan::IndexStatus& status,
                                   const std::vector<plan::ObservedWorkload>& workloads,
                                   const model::SearchIndexStatus& former, int64_t generation,
                                   std::chrono::sys_seconds now);

model::SourceBindingStatus to_status(const plan::BindingStatus& status,
                                     const model::SourceBindingStatus& former, int64_t generation,
                                     std::chrono::sys_seconds now);

plan::ConditionStatus from_model(model::ConditionStatus status);

// Of an index whose resources are wrong or not complete: nothing is done about it.
plan::IndexStatus unplanned(const plan::ObjectKey& key, plan::Phase phase, std::string reason,
                            std::string message);

// Whether they differ in nothing but numbers that change all the time.
bool only_numbers_differ(const model::SearchIndexStatus& a, const model::SearchIndexStatus& b);
bool only_numbers_differ(const model::SourceBindingStatus& a, const model::SourceBindingStatus& b);

}  // namespace searchsync::cluster
