#include "operator/plan/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "operator/plan/index_planner.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

class Planner {
 public:
  Planner(const Observed& observed, const Policy& policy, TimePoint now)
      : observed_(observed), policy_(policy), now_(now) {
    plan_.look_again = policy.look_again_idle;
  }

  Plan run() {
    if (!observed_.resources_known) return std::move(plan_);
    std::set<ObjectKey> declared;
    for (const auto& index : observed_.resources.indices) {
      const auto key = object_key(index.metadata);
      declared.insert(key);
      const auto seen = observed_.indices.find(key);
      if (seen != observed_.indices.end()) take(plan_declared(index, seen->second));
    }
    for (const auto& [key, seen] : observed_.indices) {
      if (!declared.contains(key)) take(plan_departed(observed_, key, seen));
    }
    plan_captures();
    remove_unwanted();
    if (!plan_.steps.empty()) look_again(policy_.look_again_busy);
    for (const auto& status : plan_.indices) {
      if (status.phase != Phase::kServing && status.phase != Phase::kSuspended) {
        look_again(policy_.look_again_busy);
      }
    }
    std::ranges::sort(plan_.workloads, {}, &Workload::name);
    return std::move(plan_);
  }

 private:
  IndexPlan plan_declared(const model::SearchIndex& index, const ObservedIndex& seen) {
    std::vector<model::SourceBinding> bindings;
    for (const auto& binding : observed_.resources.bindings) {
      if (binding.spec.index_ref == index.metadata.name &&
          binding.metadata.namespace_ == index.metadata.namespace_) {
        bindings.push_back(binding);
      }
    }
    return plan_index({.observed = observed_,
                       .seen = seen,
                       .index = index,
                       .bindings = bindings,
                       .policy = policy_,
                       .now = now_});
  }

  void take(IndexPlan index) {
    for (const auto& reader : index.readers) captures_.add(reader.index, reader.bindings);
    if (index.hold == Hold::kYes) held_.insert(index.status.index);
    if (index.look_again) look_again(*index.look_again);
    std::ranges::move(index.steps, std::back_inserter(plan_.steps));
    std::ranges::move(index.workloads, std::back_inserter(plan_.workloads));
    std::ranges::move(index.bindings, std::back_inserter(plan_.bindings));
    plan_.indices.push_back(std::move(index.status));
  }

  void look_again(std::chrono::milliseconds after) {
    plan_.look_again = std::min(plan_.look_again, std::max(after, policy_.look_again_busy));
  }

  // Capture comes first: everything else waits for its topics.
  void plan_captures() {
    std::vector<Step> steps;
    for (auto& workload : captures_.workloads(observed_)) {
      const auto* running = observed_.workload(workload.name);
      // A held index may need tables that are not known now.
      const bool changed = running != nullptr && running->hash != workload.hash && held_.empty();
      if (running == nullptr || changed) {
        steps.push_back({"", EnsureWorkload{workload},
                         changed ? "its tables, its configuration or a secret changed"
                                 : "bindings read tables of its database",
                         ""});
      }
      plan_.workloads.push_back(std::move(workload));
    }
    plan_.steps.insert(plan_.steps.begin(), std::make_move_iterator(steps.begin()),
                       std::make_move_iterator(steps.end()));
    for (auto& binding : plan_.bindings) {
      const auto name = binding.index.substr(0, binding.index.find('/') + 1) + binding.name;
      const auto conflict = captures_.conflicts().find(name);
      if (conflict == captures_.conflicts().end()) continue;
      binding.state = "Halted";
      binding.message = conflict->second;
    }
  }

  void remove_unwanted() {
    std::set<std::string> settled;
    for (const auto& workload : plan_.workloads) settled.insert(workload.name);
    for (const auto& step : plan_.steps) {
      if (const auto* remove = std::get_if<RemoveWorkload>(&step.action)) {
        settled.insert(remove->name);
      }
    }
    for (const auto& workload : observed_.workloads) {
      if (settled.contains(workload.name)) continue;
      const bool held = workload.owner.empty() ? !held_.empty() : held_.contains(workload.owner);
      if (held) continue;
      plan_.steps.push_back(
          {workload.owner, RemoveWorkload{workload.name}, "nothing that is declared needs it", ""});
    }
  }

  const Observed& observed_;
  const Policy& policy_;
  const TimePoint now_;

  Captures captures_;
  std::set<ObjectKey> held_;
  Plan plan_;
};

}  // namespace

Plan plan(const Observed& observed, const Policy& policy, TimePoint now) {
  return Planner(observed, policy, now).run();
}

}  // namespace searchsync::plan
