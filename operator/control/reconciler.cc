#include "operator/control/reconciler.h"

#include <algorithm>

#include "lib/base/log.h"

namespace searchsync::control {

Reconciler::Reconciler(World& world, plan::Policy policy)
    : world_(world),
      policy_(policy),
      backoff_(
          {.first = std::chrono::milliseconds(500), .longest = std::chrono::milliseconds(15'000)},
          1) {}

Reconciler::Round Reconciler::run(plan::TimePoint now) {
  Round round;
  round.observed = world_.observe();
  for (const auto& [owner, failure] : failures_) {
    const auto seen = round.observed.indices.find(owner);
    if (seen != round.observed.indices.end()) seen->second.failure = failure;
  }
  round.plan = plan::plan(round.observed, policy_, now);
  for (const auto& step : round.plan.steps) {
    if (round.failures.contains(step.owner)) continue;
    const auto what = plan::describe(step.action);
    if (plan::changes_world(step.action)) {
      log::info("{}: {}: {}", step.owner.empty() ? "capture" : step.owner, what, step.reason);
    }
    const auto done = world_.execute(step);
    if (done) continue;
    const auto known = failures_.find(step.owner);
    if (known == failures_.end() || known->second.error.message != done.error().message) {
      log::error("{}: could not {}: {}", step.owner, what, done.error().message);
    }
    round.failures[step.owner] = {what, done.error()};
  }
  failures_ = round.failures;
  if (failures_.empty()) backoff_.reset();
  round.look_again = round.plan.look_again;
  if (!failures_.empty()) {
    round.look_again = std::max(round.look_again, backoff_.next());
  }
  return round;
}

}  // namespace searchsync::control
