#pragma once

#include <map>
#include <string>

#include "lib/base/backoff.h"
#include "operator/control/world.h"
#include "operator/plan/plan.h"

namespace searchsync::control {

// Observe, plan, execute. Remembers only what it has reported of the last round.
class Reconciler {
 public:
  Reconciler(World& world, plan::Policy policy);

  struct Round {
    plan::Observed observed;
    plan::Plan plan;
    std::map<plan::ObjectKey, plan::Failure> failures;  // by owner
    std::chrono::milliseconds look_again{0};
  };

  // One round. A step that fails stops the steps of its owner; those of others are done.
  Round run(plan::TimePoint now);

 private:
  void tell(const plan::IndexStatus& status);

  World& world_;
  const plan::Policy policy_;
  Backoff backoff_;
  std::map<plan::ObjectKey, plan::Failure> failures_;
  std::map<plan::ObjectKey, std::string> told_;  // of an index
};

}  // namespace searchsync::control
