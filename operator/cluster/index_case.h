#pragma once

#include <memory>
#include <vector>

#include "operator/cluster/index_reconciler.h"
#include "operator/cluster/secret_cache.h"
#include "operator/cluster/status_notes.h"

namespace searchsync::cluster {

// One round of one index.
struct IndexReconciler::Case {
  plan::ObjectKey key;
  std::shared_ptr<const DeclaredIndex> declared;
  std::vector<std::shared_ptr<const DeclaredBinding>> bindings;
  StatusNotes notes;
  NamespaceSecrets secrets;
  plan::Observed observed;

  const Meta& meta() const { return declared->meta; }
};

}  // namespace searchsync::cluster
