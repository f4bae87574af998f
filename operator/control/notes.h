#pragma once

#include "lib/base/error.h"
#include "operator/plan/observed.h"

namespace searchsync::control {

// Where the planner's notes of the indices are kept.
class Notes {
 public:
  virtual ~Notes() = default;

  virtual plan::IndexNotes get(const plan::ObjectKey& index) const = 0;
  // Once this has succeeded, whoever goes on from here reads these notes. Errors: kConflict if
  // somebody else has written meanwhile.
  virtual Result<void> update(const plan::ObjectKey& index, plan::IndexNotes notes) = 0;
  virtual Result<void> forget(const plan::ObjectKey& index) = 0;
};

}  // namespace searchsync::control
