#pragma once

// When the alias moves, and to which generation. Why so: docs/decisions/0004.

#include <optional>
#include <string>

#include "operator/plan/index_view.h"

namespace searchsync::plan {

// Whether a generation that is not in service may be; or what keeps it from that.
struct Readiness {
  bool ready = false;
  std::optional<GateOutcome> gate;
  std::string approval;
  std::string checks;
};

// note: of the generation.
Readiness readiness(const IndexView& view, const ObservedGeneration& generation,
                    const GenerationNote& note);

// Until when the alias may move to it from a generation of the same log so that no reader sees an
// older document than before: the workers in service apply nothing behind the Lead record for a
// while, and the other has written all that is before it. Nothing: not now.
std::optional<TimePoint> swap_before(const IndexView& view, const ObservedGeneration& generation);

// Whether readers of what the alias leads to now, of the same log, might see something older in the
// other one. What was not complete when somebody else put the alias on it is better left at once.
bool may_show_older(const IndexView& view, const ObservedGeneration& to);

}  // namespace searchsync::plan
