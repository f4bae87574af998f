#include "operator/control/reconciler.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

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
  for (const auto& status : round.plan.indices) tell(status);
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

// In the log, when it has come to another phase, or is not ready for another reason.
void Reconciler::tell(const plan::IndexStatus& status) {
  const auto ready = std::ranges::find(status.conditions, "Ready", &plan::Condition::type);
  if (ready == status.conditions.end()) return;
  const auto phase = to_string(status.phase);
  auto& told = told_[status.index];
  const auto now = fmt::format("{} {}", phase, ready->reason);
  if (std::exchange(told, now) == now) return;
  const auto text = status.message.empty() ? "" : ": " + status.message;
  if (ready->status == plan::ConditionStatus::kUnknown || status.phase == plan::Phase::kStalled) {
    log::warning("{}: {}{}", status.index, phase, text);
  } else {
    log::info("{}: {}{}", status.index, phase, text);
  }
}

}  // namespace searchsync::control
