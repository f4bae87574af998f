#include <fmt/core.h>

#include "operator/plan/index_view.h"

namespace searchsync::plan {
namespace {

// One that is not served is simply built anew where its log is gone.
bool log_lost(const IndexView& view, const ObservedGeneration& generation) {
  const auto* log = view.topic(view.log);
  if (log == nullptr) return view.is_serving(generation);
  const auto committed = view.folded(generation);
  for (size_t p = 0; p < committed.size(); ++p) {
    if (committed[p] && (p >= log->end.size() || *committed[p] > log->end[p])) return true;
  }
  return false;
}

Stall alias_stall(const IndexView& view) {
  const auto& alias = view.seen.alias;
  if (view.seen.alias_fault) return {"AliasNotAvailable", *view.seen.alias_fault};
  if (alias.size() > 1) {
    return {"AliasAmbiguous", fmt::format("alias {} leads to {} indices: leave it on one of them",
                                          view.spec.index_name, alias.size())};
  }
  if (alias.size() == 1 && view.serving == nullptr) {
    return {"AliasForeign",
            fmt::format("alias {} leads to {}, which is not ours: remove the alias from it",
                        view.spec.index_name, alias.front().get())};
  }
  return {};
}

Stall log_stall(const IndexView& view) {
  for (const auto& generation : view.seen.generations) {
    if (generation.document_log == view.log && log_lost(view, generation)) {
      return {"DocumentLogLost",
              fmt::format("topic {} is gone or was made anew, but index {} was built from it: "
                          "change workers.partitions to rebuild from the sources",
                          view.log, generation.index.get())};
    }
  }
  const auto* log = view.topic(view.log);
  const auto partitions = static_cast<size_t>(view.spec.workers.partitions);
  if (log != nullptr && log->end.size() != partitions) {
    return {"DocumentLogChanged",
            fmt::format("topic {} has {} partitions, not the {} that it was made with", view.log,
                        log->end.size(), partitions)};
  }
  return {};
}

}  // namespace

Stall find_stall(const IndexView& view) {
  const auto& declared = view.seen.notes.declared;
  if (declared && declared->spec.index_name != view.spec.index_name) {
    return {"IndexNameChanged",
            fmt::format("spec.indexName was {} and cannot change: put it back, or make another "
                        "SearchIndex",
                        declared->spec.index_name)};
  }
  if (auto stall = alias_stall(view); !stall.reason.empty()) return stall;
  if (view.seen.foreign.contains(view.target_name)) {
    return {"IndexNameTaken", fmt::format("index {} exists and is not ours: delete or rename it",
                                          view.target_name.get())};
  }
  if (view.target != nullptr && view.target->document_log != view.log) {
    return {"IndexNameTaken",
            fmt::format("index {} belongs to document log {}, not {}", view.target_name.get(),
                        view.target->document_log, view.log)};
  }
  return log_stall(view);
}

}  // namespace searchsync::plan
