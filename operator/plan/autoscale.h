#pragma once

// How many workers an index needs. Pure.

#include <cstdint>
#include <optional>
#include <string>

#include "lib/model/resources.h"
#include "operator/plan/notes.h"

namespace searchsync::plan {

struct ScaleInput {
  const model::AutoscalingSpec& spec;
  int32_t partitions = 1;              // of the document log: more workers have nothing to do
  int32_t current = 0;                 // workers that are to run now
  std::optional<int64_t> lag_records;  // yet to be routed or folded; nothing: not known
  std::optional<double> arriving_per_second;   // records, in the sources
  std::optional<double> processed_per_second;  // records, by all workers together
  TimePoint now;
};

struct ScaleOutcome {
  int32_t replicas = 0;
  ScaleNote note;
  std::string reason;
};

// More at once, but at most twice as many as there are; fewer only once fewer have been enough for
// as long as the resource says, and then as many as were needed at the most in that time. While the
// lag is not known as many as there are, and at least one.
ScaleOutcome scale(const ScaleInput& input, const ScaleNote& note);

}  // namespace searchsync::plan
