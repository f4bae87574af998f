#pragma once

// The operator's one decision: what to do now, given what is seen now. Pure: no clock, no socket,
// no memory. Kill whatever carries it out at any step: the next observation leads on.
//
// How an index gets its next generation, each state derived from what is observed:
//
//   document log, dead-letter topic  ->  index <name>-<hash> with its recipe in _meta  ->  its
// workers,
//   and capture  ->  gate (gate.h)  ->  Lead records to all partitions  ->  alias moves  ->  the
// former
//   generation drains past the Lead, is kept warm, and is removed
//
// Invariants, under any observation:
// - the alias is only ever moved to a generation that passed its gate;
// - the index under the alias is never deleted while its resource is declared;
// - a generation that led is not removed before it committed past the Lead that replaced it;
// - nothing is done to an index whose engine or Kafka cannot be reached, and nothing it needs is
// stopped.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "operator/plan/actions.h"
#include "operator/plan/observed.h"
#include "operator/plan/status.h"

namespace searchsync::plan {

struct Policy {
  std::chrono::milliseconds look_again_busy{500};
  std::chrono::milliseconds look_again_idle{2'000};
  // The longest outage a worker survives: older records of the document log may be compacted away.
  std::chrono::hours log_retention{7 * 24};
  std::chrono::hours dead_letter_retention{30 * 24};
};

struct Plan {
  std::vector<Step> steps;  // in order; a failure stops the rest of the same owner's
  std::vector<IndexStatus> indices;
  std::vector<BindingStatus> bindings;
  std::vector<Workload> workloads;  // all that must run, in order of name
  std::chrono::milliseconds look_again{0};
};

// Total and deterministic: the same arguments give the same plan, and a converged world an empty
// one.
Plan plan(const Observed& observed, const Policy& policy, TimePoint now);

}  // namespace searchsync::plan
