#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/model/pipeline.h"
#include "operator/plan/index_planner.h"
#include "operator/plan/partitions.h"

namespace searchsync::plan {
namespace {

// Everything that was made for it. The alias goes with its index.
void delete_all(const Observed& observed, const ObjectKey& key, const ObservedIndex& seen,
                IndexPlan& plan) {
  const auto& declared = *seen.notes.declared;
  const auto add = [&](Action action) {
    plan.steps.push_back(
        {key, std::move(action), "its SearchIndex was deleted", "deletionPolicy was Delete"});
  };
  for (const auto& workload : observed.workloads) {
    if (workload.owner == key) add(RemoveWorkload{workload.name});
  }
  for (const auto& generation : seen.generations) {
    add(DeleteIndex{generation.index});
    std::ranges::move(drop_all(key, generation, "its SearchIndex was deleted"),
                      std::back_inserter(plan.steps));
  }
  std::ranges::move(drop_strays(key, seen), std::back_inserter(plan.steps));
  const auto dead_letters = model::dead_letter_topic(declared);
  const auto logs = dead_letters.substr(0, dead_letters.rfind('.')) + ".log-";
  for (const auto& [name, offsets] : seen.topics) {
    const bool table = name.starts_with(model::table_prefix(declared));
    if (name == dead_letters || table || name.starts_with(logs)) add(DeleteTopic{name});
  }
}

}  // namespace

IndexPlan plan_departed(const Observed& observed, const ObjectKey& key, const ObservedIndex& seen) {
  IndexPlan plan;
  plan.status.index = key;
  plan.status.phase = Phase::kDeleting;
  if (!seen.notes.declared) {
    plan.steps.push_back({key, ForgetNotes{}, "nothing was made for it", ""});
    return plan;
  }
  const bool remove = seen.notes.declared->spec.deletion_policy == model::DeletionPolicy::kDelete;
  if (remove && (seen.engine_fault || seen.kafka_fault)) {
    plan.status.message = fmt::format("what was made for it cannot be deleted now: {}",
                                      seen.engine_fault ? *seen.engine_fault : *seen.kafka_fault);
    return plan;
  }
  if (remove) delete_all(observed, key, seen, plan);
  plan.steps.push_back(
      {key, ForgetNotes{}, "its SearchIndex was deleted",
       remove ? "all that was made for it is deleted" : "deletionPolicy was Retain"});
  return plan;
}

}  // namespace searchsync::plan
