#include "operator/plan/differences.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <vector>

#include "lib/model/pipeline.h"
#include "operator/plan/renew.h"

namespace searchsync::plan {
namespace {

using Bindings = std::map<std::string, const model::SourceBinding*>;

Bindings by_name(std::span<const model::SourceBinding> bindings) {
  Bindings result;
  for (const auto& binding : bindings) result[binding.metadata.name] = &binding;
  return result;
}

void compare(const model::SourceBinding& before, const model::SourceBinding& now,
             std::vector<std::string>& found) {
  const auto& name = now.metadata.name;
  if (before.spec.source != now.spec.source) found.push_back("source of " + name);
  if (model::row_topic(before) != model::row_topic(now) &&
      before.spec.aggregate != now.spec.aggregate) {
    found.push_back("aggregate of " + name);
  }
  if (before.spec.key != now.spec.key) found.push_back("key of " + name);
  if (before.spec.relation != now.spec.relation) found.push_back("relation of " + name);
  if (before.spec.fields != now.spec.fields) found.push_back("fields of " + name);
}

}  // namespace

std::string differences(const model::PipelineConfig& recipe, const model::SearchIndex& index,
                        std::span<const model::SourceBinding> bindings) {
  if (model::generation_hash(index, bindings) == content_of(recipe)) return "";
  const auto& before = recipe.index.spec;
  std::vector<std::string> found;
  if (before.mappings != index.spec.mappings) found.emplace_back("mappings");
  if (before.settings != index.spec.settings) found.emplace_back("settings");
  if (before.shards != index.spec.shards) found.emplace_back("shards");
  auto partitioning = before.partitioning;
  if (partitioning && index.spec.partitioning) {
    partitioning->retain = index.spec.partitioning->retain;
    partitioning->on_mapping_change = index.spec.partitioning->on_mapping_change;
  }
  if (partitioning != index.spec.partitioning) found.emplace_back("partitioning");
  if (before.workers.partitions != index.spec.workers.partitions) {
    found.emplace_back("workers.partitions");
  }
  const auto old_bindings = by_name(recipe.bindings);
  const auto new_bindings = by_name(bindings);
  for (const auto& [name, binding] : new_bindings) {
    const auto known = old_bindings.find(name);
    if (known == old_bindings.end()) {
      found.push_back("binding " + name + " is new");
    } else {
      compare(*known->second, *binding, found);
    }
  }
  for (const auto& [name, binding] : old_bindings) {
    if (!new_bindings.contains(name)) found.push_back("binding " + name + " is gone");
  }
  return fmt::format("{}", fmt::join(found, ", "));
}

}  // namespace searchsync::plan
