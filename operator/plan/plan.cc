#include "operator/plan/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "operator/plan/database.h"
#include "operator/plan/index_planner.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

const model::SearchIndex* find_declared(const Observed& observed, const ObjectKey& key) {
  const auto found =
      std::ranges::find(observed.resources.indices, key,
                        [](const model::SearchIndex& one) { return object_key(one.metadata); });
  return found == observed.resources.indices.end() ? nullptr : &*found;
}

// The generation that spec.reindex.serve asks for, if it can be run.
const ObservedGeneration* find_pinned(const model::SearchIndex& index, const ObservedIndex& seen) {
  const auto& serve = index.spec.reindex.serve;
  if (!serve) return nullptr;
  const auto found =
      std::ranges::find(seen.generations, IndexName(*serve), &ObservedGeneration::index);
  return found == seen.generations.end() || !found->recipe ? nullptr : &*found;
}

// Generations whose _meta somebody has changed are known by name, by their write alias and by the
// notes. Nothing: there are none.
std::optional<ObservedIndex> recover(const ObservedIndex& seen) {
  std::optional<ObservedIndex> recovered;
  for (auto generation : seen.unmarked) {
    const auto note = seen.notes.generations.find(generation.index);
    if (note == seen.notes.generations.end()) continue;
    generation.marked = false;
    generation.generation = note->second.generation;
    generation.document_log = note->second.document_log;
    if (!recovered) recovered = seen;
    recovered->foreign.erase(generation.index);
    recovered->generations.push_back(std::move(generation));
  }
  if (recovered) std::ranges::sort(recovered->generations, {}, &ObservedGeneration::index);
  return recovered;
}

bool is_ready(const IndexStatus& status) {
  return std::ranges::any_of(status.conditions, [](const auto& condition) {
    return condition.type == "Ready" && condition.status == ConditionStatus::kTrue;
  });
}

IndexPlan plan_declared(const Observed& observed, const model::SearchIndex& index,
                        const ObservedIndex& seen, const Policy& policy, TimePoint now) {
  auto bindings = bindings_of(observed.resources, index);
  for (auto& binding : bindings) {
    // It says when the capture has to look anew, and nothing about documents.
    auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (postgres != nullptr) postgres->revision.clear();
  }
  auto effective = index;
  const auto* pinned = find_pinned(index, seen);
  if (pinned != nullptr) {
    // As if all that it was built from were declared again.
    auto recipe = with_current_settings(*pinned->recipe, index);
    effective = std::move(recipe.index);
    bindings = std::move(recipe.bindings);
  }
  const auto recovered = recover(seen);
  auto plan = plan_index({.observed = observed,
                          .seen = recovered ? *recovered : seen,
                          .index = effective,
                          .bindings = bindings,
                          .policy = policy,
                          .now = now});
  if (pinned != nullptr && plan.status.phase == Phase::kServing && is_ready(plan.status)) {
    plan.status.message = fmt::format(
        "spec.reindex.serve has readers read {}, whatever is declared, until it is taken away",
        pinned->index.get());
  }
  return plan;
}

// Workloads of an owner that no step and no plan mentions.
void remove_unwanted(const Observed& observed, const ObjectKey& owner,
                     const std::vector<Workload>& wanted, std::vector<Step>& steps) {
  std::set<std::string> settled;
  for (const auto& workload : wanted) settled.insert(workload.name);
  for (const auto& step : steps) {
    if (const auto* remove = std::get_if<RemoveWorkload>(&step.action)) {
      settled.insert(remove->name);
    }
  }
  for (const auto& workload : observed.workloads) {
    if (workload.owner != owner || settled.contains(workload.name)) continue;
    steps.push_back(
        {owner, RemoveWorkload{workload.name}, "nothing that is declared needs it", ""});
  }
}

// Also of those indices that are suspended: they go on where their slots are. And of databases
// whose tables are not known now.
std::set<std::string> declared_captures(const Observed& observed) {
  Captures captures;
  std::set<std::string> names;
  for (const auto& index : observed.resources.indices) {
    const auto bindings = bindings_of(observed.resources, index);
    captures.add(index, bindings);
    const auto tables = observed.tables.find(object_key(index.metadata));
    const bool known = tables != observed.tables.end() && tables->second.known;
    if (!index.spec.tables || known) continue;
    for (const auto& binding : bindings) {
      const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
      if (postgres != nullptr) names.insert(capture_name(index.metadata, postgres->secret_ref));
    }
  }
  names.merge(captures.names());
  return names;
}

bool is_database(const Observed& observed, const ObjectKey& key) {
  const auto* index = find_declared(observed, key);
  return index != nullptr && index->spec.tables;
}

// How often it has to be looked at again, and that nothing else runs of it.
void finish(const Observed& observed, const ObjectKey& key, const Policy& policy, IndexPlan& plan) {
  if (plan.hold == Hold::kNo) remove_unwanted(observed, key, plan.workloads, plan.steps);
  const bool settled =
      plan.status.phase == Phase::kServing || plan.status.phase == Phase::kSuspended;
  auto again = settled && plan.steps.empty() ? policy.look_again_idle : policy.look_again_busy;
  if (plan.look_again.count() > 0) again = std::min(again, plan.look_again);
  plan.look_again = std::max(again, policy.look_again_busy);
}

void add(IndexPlan index, Plan& plan, std::vector<model::PipelineConfig>& readers, Hold& hold) {
  if (index.hold == Hold::kYes) hold = Hold::kYes;
  plan.look_again = std::min(plan.look_again, index.look_again);
  std::ranges::move(index.readers, std::back_inserter(readers));
  std::ranges::move(index.steps, std::back_inserter(plan.steps));
  std::ranges::move(index.workloads, std::back_inserter(plan.workloads));
  std::ranges::move(index.bindings, std::back_inserter(plan.bindings));
  plan.indices.push_back(std::move(index.status));
}

void report_conflicts(const CapturePlan& captures, std::vector<BindingStatus>& bindings) {
  for (auto& binding : bindings) {
    const auto name = binding.index.substr(0, binding.index.find('/') + 1) + binding.name;
    const auto conflict = captures.conflicts.find(name);
    if (conflict == captures.conflicts.end()) continue;
    binding.state = "Halted";
    binding.message = conflict->second;
  }
}

}  // namespace

IndexPlan plan_index(const Observed& observed, const ObjectKey& key, const Policy& policy,
                     TimePoint now, const TablePlans& tables) {
  static const ObservedIndex kNothing;
  const auto found = observed.indices.find(key);
  const auto& seen = found == observed.indices.end() ? kNothing : found->second;
  const auto* index = find_declared(observed, key);
  auto plan = index == nullptr     ? plan_departed(observed, key, seen)
              : index->spec.tables ? plan_database(observed, *index, tables)
                                   : plan_declared(observed, *index, seen, policy, now);
  finish(observed, key, policy, plan);
  return plan;
}

CapturePlan plan_captures(const Observed& observed, std::span<const model::PipelineConfig> readers,
                          Hold hold) {
  Captures captures;
  for (const auto& reader : readers) captures.add(reader.index, reader.bindings);
  CapturePlan plan{
      .steps = {}, .workloads = captures.workloads(observed), .conflicts = captures.conflicts()};
  for (const auto& workload : plan.workloads) {
    const auto* running = observed.workload(workload.name);
    // A held index may need tables that are not known now.
    const bool changed = running != nullptr && running->hash != workload.hash && hold == Hold::kNo;
    if (running != nullptr && !changed) continue;
    plan.steps.push_back({"", EnsureWorkload{workload},
                          !changed                ? "bindings read tables of its database"
                          : running->hash.empty() ? kNotAsMade
                                                  : "its tables, its configuration or a secret "
                                                    "changed",
                          ""});
  }
  if (hold == Hold::kYes) return plan;
  const auto declared = declared_captures(observed);
  remove_unwanted(observed, "", plan.workloads, plan.steps);
  for (const auto& capture : observed.captures) {
    const bool runs =
        std::ranges::find(plan.workloads, capture, &Workload::name) != plan.workloads.end();
    if (runs || declared.contains(capture)) continue;
    plan.steps.push_back({capture, DropSlot{capture},
                          "no binding reads tables of its database any more",
                          "its processes are gone"});
  }
  return plan;
}

Plan plan(const Observed& observed, const Policy& policy, TimePoint now) {
  Plan plan;
  plan.look_again = policy.look_again_idle;
  if (!observed.resources_known) return plan;
  std::set<ObjectKey> keys;
  for (const auto& [key, seen] : observed.indices) keys.insert(key);
  for (const auto& workload : observed.workloads) {
    if (!workload.owner.empty()) keys.insert(workload.owner);
  }
  std::vector<model::PipelineConfig> readers;
  Hold hold = Hold::kNo;
  std::map<ObjectKey, IndexPlan> indices;
  TablePlans tables;
  for (const auto& key : keys) {
    if (is_database(observed, key)) continue;
    tables[key] = &indices.emplace(key, plan_index(observed, key, policy, now)).first->second;
  }
  for (const auto& key : keys) {
    if (!is_database(observed, key)) continue;
    add(plan_index(observed, key, policy, now, tables), plan, readers, hold);
  }
  for (const auto& key : keys) {
    if (const auto found = indices.find(key); found != indices.end()) {
      add(std::move(found->second), plan, readers, hold);
    }
  }
  // Capture comes first: everything else waits for its topics.
  auto captures = plan_captures(observed, readers, hold);
  report_conflicts(captures, plan.bindings);
  plan.steps.insert(plan.steps.begin(), std::make_move_iterator(captures.steps.begin()),
                    std::make_move_iterator(captures.steps.end()));
  std::ranges::move(captures.workloads, std::back_inserter(plan.workloads));
  std::ranges::sort(plan.workloads, {}, &Workload::name);
  if (!plan.steps.empty()) plan.look_again = policy.look_again_busy;
  return plan;
}

}  // namespace searchsync::plan
