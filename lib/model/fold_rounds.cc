#include "lib/model/fold_rounds.h"

#include <algorithm>
#include <string>
#include <variant>

namespace searchsync::model {
namespace {

// Lookups from `holder` downwards, the longest chain.
int lookup_depth(std::span<const SourceBinding> bindings, const std::string& holder,
                 size_t remaining) {
  int deepest = 0;
  if (remaining == 0) return 0;
  for (const auto& binding : bindings) {
    const auto* lookup = std::get_if<LookupRelation>(&binding.spec.relation);
    if (lookup == nullptr || lookup->of != holder) continue;
    deepest = std::max(deepest, 1 + lookup_depth(bindings, binding.metadata.name, remaining - 1));
  }
  return deepest;
}

}  // namespace

int fold_rounds(std::span<const SourceBinding> bindings) {
  int hops = 2 * lookup_depth(bindings, "root", bindings.size());
  for (const auto& binding : bindings) {
    const bool link = std::holds_alternative<LinkRelation>(binding.spec.relation);
    const bool root = std::holds_alternative<RootRelation>(binding.spec.relation);
    int depth = lookup_depth(bindings, binding.metadata.name, bindings.size());
    if (link) depth = std::max(depth, 1);  // the far root
    if (link || std::holds_alternative<ChildrenRelation>(binding.spec.relation)) {
      hops = std::max(hops, 1 + 2 * depth);
    } else if (root) {
      hops = std::max(hops, 2 * depth);
    }
  }
  return 1 + hops;
}

}  // namespace searchsync::model
