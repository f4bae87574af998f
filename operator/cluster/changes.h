#pragma once

// What `kubectl searchsync plan` says: what applying resources would change, and what follows.
// Pure.

#include <map>
#include <string>

#include "lib/model/resources.h"
#include "operator/plan/notes.h"
#include "operator/plan/observed.h"

namespace searchsync::cluster {

// How a SearchIndex stands, as far as its status says.
struct Standing {
  std::string serving;  // empty: nothing yet
  plan::IndexNotes notes;
};

struct ChangesInput {
  const model::Resources& live;  // of the cluster, as far as they can be read
  const model::Resources& declared;
  const std::map<plan::ObjectKey, Standing>& standing;
};

// live, with what is declared in the place of what it replaces. Both in order of name.
model::Resources applied(const model::Resources& live, const model::Resources& declared);

// Of what the cluster takes: for each declared object how it differs from the one that is there, by
// field; then for each index that this concerns what is built, from what, and when readers get it.
std::string render_changes(const ChangesInput& input);

}  // namespace searchsync::cluster
