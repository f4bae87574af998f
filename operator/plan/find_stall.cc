#include <fmt/core.h>

#include <algorithm>

#include "operator/plan/drift.h"
#include "operator/plan/index_view.h"
#include "operator/plan/tables.h"

namespace searchsync::plan {
namespace {

// One that is not read is simply built anew where its log is gone.
bool log_lost(const IndexView& view, const ObservedGeneration& generation) {
  const auto* log = view.topic(view.log);
  if (log == nullptr) return view.is_read(generation);
  const auto committed = view.folded(generation);
  for (size_t p = 0; p < committed.size(); ++p) {
    if (committed[p] && (p >= log->end.size() || *committed[p] > log->end[p])) return true;
  }
  return false;
}

std::string names_of(const std::vector<ObservedGeneration>& generations) {
  std::string names;
  for (const auto& generation : generations) {
    names += names.empty() ? "" : ", ";
    names += generation.index.get();
  }
  return names;
}

// Which SearchIndex built an index that is not ours; empty: none did.
ObjectKey builder_of(const IndexView& view, const IndexName& index) {
  const auto found = view.seen.foreign.find(index);
  return found == view.seen.foreign.end() ? "" : found->second;
}

std::string whose(const IndexView& view, const IndexName& index) {
  const auto builder = builder_of(view, index);
  return builder.empty() ? "is not ours"
                         : fmt::format("was built for SearchIndex {}, not known here", builder);
}

// Of several that want one name it is whose index is served; before one is, who has begun to build;
// and of those that are as far as each other, who was declared first. Returns who else it is;
// empty: nobody.
ObjectKey find_owner(const IndexView& view) {
  const auto& seen = view.seen;
  if (view.serving != nullptr) return "";
  if (seen.alias.size() == 1) {
    const auto builder = builder_of(view, seen.alias.front());
    if (seen.claims.contains(builder)) return builder;
  }
  for (const auto& [key, claim] : seen.claims) {
    const bool builds =
        std::ranges::any_of(seen.foreign, [&](const auto& entry) { return entry.second == key; });
    const bool even = builds == !seen.generations.empty();
    if ((builds && !even) || (even && claim == Claim::kBefore)) return key;
  }
  return "";
}

Stall alias_stall(const IndexView& view) {
  const auto& alias = view.seen.alias;
  const auto& name = view.spec.index_name;
  if (const auto owner = find_owner(view); !owner.empty()) {
    return {"IndexNameClaimed",
            fmt::format("{} is the index of SearchIndex {}: delete that one, or make this one "
                        "anew with another spec.indexName",
                        name, owner)};
  }
  if (view.seen.alias_fault) return {"AliasNotAvailable", *view.seen.alias_fault};
  if (alias_moved(view) && view.spec.drift == model::Drift::kReport) {
    return {"AliasChanged", find_drift(view).message};
  }
  const bool adopt = view.spec.adoption == model::Adoption::kTakeAlias;
  if (view.serving != nullptr || view.incumbent != nullptr || alias.empty() || adopt) return {};
  if (alias.size() > 1) {
    return {"AliasAmbiguous", fmt::format("alias {} leads to {} indices: leave it on one of them",
                                          name, alias.size())};
  }
  return {"AliasForeign",
          fmt::format("alias {} leads to {}, which {}: remove the alias from it, or set "
                      "spec.adoption to TakeAlias to have it moved once the new index is complete",
                      name, alias.front().get(), whose(view, alias.front()))};
}

Stall log_stall(const IndexView& view) {
  for (const auto& generation : view.seen.generations) {
    if (generation.document_log == view.log && log_lost(view, generation)) {
      return {"DocumentLogLost",
              fmt::format("topic {0} is gone or was made anew, but index {1} was built from it: "
                          "DELETE /{1} to have it built anew from the sources; until then it "
                          "stays as it is",
                          view.log, generation.index.get())};
    }
  }
  const auto* log = view.topic(view.log);
  const auto partitions = static_cast<size_t>(view.spec.workers.partitions);
  if (log != nullptr && log->end.size() != partitions) {
    return {"DocumentLogChanged",
            fmt::format("topic {} has {} partitions, not the {} that it was made with: delete it, "
                        "and each index that was built from it, to have it built anew",
                        view.log, log->end.size(), partitions)};
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
  if (const auto& serve = view.spec.reindex.serve; serve && *serve != view.target_name.get()) {
    return {"ServeNotFound",
            fmt::format("spec.reindex.serve asks for {}, which does not exist or cannot be run: "
                        "take it away, or name one of {}",
                        *serve, names_of(view.seen.generations))};
  }
  if (auto stall = alias_stall(view); !stall.reason.empty()) return stall;
  if (view.seen.foreign.contains(view.target_name)) {
    return {"IndexNameTaken", fmt::format("index {} exists and {}: delete or rename it",
                                          view.target_name.get(), whose(view, view.target_name))};
  }
  if (view.target != nullptr && view.target->document_log != view.log) {
    return {"IndexNameTaken",
            fmt::format("index {} belongs to document log {}, not {}", view.target_name.get(),
                        view.target->document_log, view.log)};
  }
  if (auto stall = table_stall(view); !stall.reason.empty()) return stall;
  return log_stall(view);
}

}  // namespace searchsync::plan
