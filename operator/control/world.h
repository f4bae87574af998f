#pragma once

#include "lib/base/error.h"
#include "operator/plan/plan.h"

namespace searchsync::control {

// What the operator looks at and acts on: a folder with child processes, or a Kubernetes cluster.
// Contains no decisions. One thread.
class World {
 public:
  virtual ~World() = default;

  // Everything, now. What cannot be reached is part of it, not an error.
  virtual plan::Observed observe() = 0;

  // Does one step. Safe to repeat.
  virtual Result<void> execute(const plan::Step& step) = 0;
};

}  // namespace searchsync::control
