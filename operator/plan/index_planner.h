#pragma once

// One index: what to do, and how it stands. plan_index() of plan.h calls it.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "operator/plan/gate.h"
#include "operator/plan/plan.h"

namespace searchsync::plan {

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

// What somebody else has changed: see drift.h. `reason` is empty if there is nothing of the kind.
struct Drift {
  std::string reason;  // AliasChanged, IndexClosed, MappingsChanged, SettingsChanged
  std::string message;
};

// What the planner has found out about an index when it reports on it.
struct Findings {
  const ObservedGeneration* serving = nullptr;
  const ObservedGeneration* incumbent = nullptr;  // see IndexView
  const ObservedGeneration* target = nullptr;
  IndexName desired;      // what the target is called, or will be
  std::string unrenewed;  // why it is built anew, though others would be renewed; empty: no matter
  Stall stall;
  Drift drift;
  std::string pending;    // what has to be there first; empty: nothing
  std::string approval;   // empty: none needed
  std::string checks;     // why they fail; empty: they do not
  std::string retiring;   // about former generations
  std::string retention;  // that more is declared than it has; empty: it is not
  std::optional<GateOutcome> gate;
};

// Fills in plan.status and plan.bindings.
void report(const IndexInput& input, const Findings& findings, IndexPlan& plan);

}  // namespace searchsync::plan
