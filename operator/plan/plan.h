#pragma once

// The operator's one decision: what to do now, given what is seen now. Pure: no clock, no socket,
// no memory. Kill whatever carries it out at any step: the next observation leads on.
//
// How an index gets its next generation, each state derived from what is observed:
//
//   document log, dead-letter topic  ->  index <name>-<hash> with its recipe in _meta  ->
//   its workers, and capture  ->  gate (gate.h)  ->  Lead records to all partitions  ->
//   alias moves  ->  the former generation drains past the Lead, is kept warm, and is removed
//
// Invariants, under any observation:
// - the alias is only ever moved to a generation that passed its gate;
// - the index under the alias is never deleted while its resource is declared;
// - a generation that led is not removed before it committed past the Lead that replaced it;
// - nothing is done to an index whose engine or Kafka cannot be reached, and nothing it needs is
//   stopped.

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "operator/plan/actions.h"
#include "operator/plan/observed.h"
#include "operator/plan/status.h"

namespace searchsync::plan {

struct Policy {
  std::chrono::milliseconds look_again_busy{500};
  std::chrono::milliseconds look_again_idle{2'000};
  std::chrono::milliseconds look_again_asleep{2'000};  // no worker runs that could be woken
  // The longest outage a worker survives: older records of the document log may be compacted away.
  std::chrono::hours log_retention{7 * 24};
  std::chrono::hours dead_letter_retention{30 * 24};
};

enum class Hold { kNo, kYes };

// Of one index.
struct IndexPlan {
  std::vector<Step> steps;
  std::vector<Workload> workloads;              // of workers and query, that must run
  std::vector<model::PipelineConfig> readers;   // all whose sources have to be captured
  std::optional<model::PipelineConfig> served;  // what the alias leads to
  Hold hold = Hold::kNo;  // kYes: too little is known; nothing that it may need is stopped
  IndexStatus status;
  std::vector<BindingStatus> bindings;
  std::chrono::milliseconds look_again{0};
};

// What the plans of other indices say, by key.
using TablePlans = std::map<ObjectKey, const IndexPlan*>;

// One index of the observation: declared there, or only remembered by its notes. Of the observation
// it reads the index, those its relations lead to, its bindings and workloads, and the workloads
// and secrets that these need. Total and deterministic: the same arguments give the same plan, and
// a converged world no steps. tables: see plan_database(); of an index without `tables` not read.
IndexPlan plan_index(const Observed& observed, const ObjectKey& key, const Policy& policy,
                     TimePoint now, const TablePlans& tables = {});

// Of all captures in a namespace, or folder.
struct CapturePlan {
  std::vector<Step> steps;
  std::vector<Workload> workloads;               // all that must run, in order of name
  std::map<std::string, std::string> conflicts;  // "<namespace>/<binding>": why it cannot work
};

// Of the observation it reads the captures, and the resources: what is declared, for it keeps its
// slot. readers: those of all indices' plans. hold: kYes if any of those held.
CapturePlan plan_captures(const Observed& observed, std::span<const model::PipelineConfig> readers,
                          Hold hold);

struct Plan {
  std::vector<Step> steps;  // in order; a failure stops the rest of the same owner's
  std::vector<IndexStatus> indices;
  std::vector<BindingStatus> bindings;
  std::vector<Workload> workloads;  // all that must run, in order of name
  std::chrono::milliseconds look_again{0};
};

// Everything that is observed.
Plan plan(const Observed& observed, const Policy& policy, TimePoint now);

}  // namespace searchsync::plan
