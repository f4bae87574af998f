#pragma once

// One index: what to do, and how it stands. plan() calls it for each.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "operator/plan/gate.h"
#include "operator/plan/plan.h"

namespace searchsync::plan {

enum class Hold { kNo, kYes };

struct IndexPlan {
  std::vector<Step> steps;
  std::vector<Workload> workloads;             // of workers and query
  std::vector<model::PipelineConfig> readers;  // all whose sources have to be captured
  Hold hold = Hold::kNo;  // kYes: too little is known; nothing that it may need is stopped
  IndexStatus status;
  std::vector<BindingStatus> bindings;
  std::optional<std::chrono::milliseconds> look_again;  // at the latest, besides the policy's
};

struct IndexInput {
  const Observed& observed;
  const ObservedIndex& seen;
  const model::SearchIndex& index;
  std::span<const model::SourceBinding> bindings;
  const Policy& policy;
  TimePoint now;
};

IndexPlan plan_index(const IndexInput& input);

// An index that is declared no longer: keeps or deletes what was made for it.
IndexPlan plan_departed(const Observed& observed, const ObjectKey& key, const ObservedIndex& seen);

// Why only a person can go on; `reason` is empty if there is nothing of the kind.
struct Stall {
  std::string reason;  // CamelCase
  std::string message;
};

// What the planner has found out about an index when it reports on it.
struct Findings {
  const ObservedGeneration* serving = nullptr;
  const ObservedGeneration* target = nullptr;
  Stall stall;
  std::string pending;   // what has to be there first; empty: nothing
  std::string approval;  // empty: none needed
  std::string retiring;  // about former generations
  std::optional<GateOutcome> gate;
};

// Fills in plan.status and plan.bindings.
void report(const IndexInput& input, const Findings& findings, IndexPlan& plan);

}  // namespace searchsync::plan
