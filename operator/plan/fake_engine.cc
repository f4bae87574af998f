// What FakeWorld makes of the search engine.

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/elastic/mixable.h"
#include "lib/model/pipeline.h"
#include "operator/plan/fake_world.h"

namespace searchsync::plan {

using model::Period;

namespace {

bool has_fields(const FakeWorld::Index& index, const model::PipelineConfig& config) {
  return elastic::new_fields(index.mappings, config.index.spec.mappings.text).missing.empty();
}

}  // namespace

void FakeWorld::observe_index(const ObjectKey& key, const IndexName& name, const Index& index,
                              ObservedIndex& seen) {
  const auto builder = object_key(index.recipe.index.metadata);
  ObservedGeneration one{.index = name, .settings = index.settings, .closed = index.closed};
  if (!index.marked || builder != key) {
    seen.foreign[name] = index.marked ? builder : "";
    if (!index.marked) seen.unmarked.push_back(std::move(one));
    return;
  }
  one.generation = index.recipe.generation;
  one.document_log = index.recipe.document_log;
  one.recipe = index.recipe;
  one.differences = index.differences;
  one.writable = index.writable;
  one.read = index.shown;
  one.mappings = index.mappings;
  const auto& declared = index.recipe.index.spec.mappings.text;
  for (const auto& [period, partition] : index.partitions) {
    one.partitions.push_back(
        {.period = period,
         .index = partition_name(name, period),
         .settings = partition.settings,
         .read = partition.shown,
         .lacks = !elastic::new_fields(partition.mappings, declared).missing.empty()});
  }
  seen.generations.push_back(std::move(one));
}

void FakeWorld::apply(const ObjectKey&, const CreateIndex& action) {
  const auto& spec = action.recipe.index.spec;
  if (foreign_.contains(action.recipe.generation_index)) violate("a foreign index is made");
  if (strays_.contains(action.recipe.generation_index)) {
    violate("an index is made that has partitions of a former one");
  }
  indices_.try_emplace(action.recipe.generation_index,
                       Index{.recipe = action.recipe,
                             .mappings = spec.mappings.text,
                             .settings = {.replicas = spec.replicas,
                                          .refresh_interval = kNeverRefreshed,
                                          .gc_deletes = model::kGcDeletes}});
}
void FakeWorld::apply(const ObjectKey&, const UpdateSettings& action) {
  if (!indices_.contains(action.index)) return violate("settings of an index that is not ours");
  auto& index = indices_.at(action.index);
  if (index.closed) return violate("an index that is closed is refreshed");
  index.settings = action.settings;
  if (action.settings.refresh_interval != kNeverRefreshed) index.refreshed = true;
}
void FakeWorld::add_fields(std::string& mappings, const std::string& declared) {
  const auto conflict = elastic::new_fields(mappings, declared).conflict;
  if (!conflict.empty()) return violate("fields are added that cannot be: " + conflict);
  auto all = nlohmann::json::parse(mappings);
  all.update(nlohmann::json::parse(elastic::added_fields(declared)), true);
  mappings = all.dump();
}
void FakeWorld::apply(const ObjectKey&, const AddFields& action) {
  if (!indices_.contains(action.generation)) return violate("fields of an index that is not ours");
  auto& index = indices_.at(action.generation);
  const auto& names = action.indices;
  if (std::ranges::count(names, action.generation) > 0) add_fields(index.mappings, action.mappings);
  for (auto& [period, partition] : index.partitions) {
    if (std::ranges::count(names, partition_name(action.generation, period)) > 0) {
      add_fields(partition.mappings, action.mappings);
    }
  }
}
void FakeWorld::apply(const ObjectKey&, const WriteMeta& action) {
  const auto found = indices_.find(action.recipe.generation_index);
  if (found == indices_.end()) return violate("_meta of an index that is not ours");
  if (found->second.recipe.generation != action.recipe.generation ||
      found->second.recipe.document_log != action.recipe.document_log) {
    return violate("_meta of another index is written");
  }
  const auto& former = found->second.recipe;
  if (model::lasting_hash(former.index, former.bindings) !=
      model::lasting_hash(action.recipe.index, action.recipe.bindings)) {
    return violate("an index becomes another that it cannot be mixed with");
  }
  if (!has_fields(found->second, action.recipe)) {
    return violate("a recipe is renewed before its index has the fields");
  }
  const auto& before = found->second.recipe.index.spec.partitioning;
  const auto& now = action.recipe.index.spec.partitioning;
  if (found->second.marked && before && (!now || now->retain > before->retain)) {
    violate("partitions are to be kept that may have been dropped");
  }
  found->second.recipe = action.recipe;
  found->second.marked = true;
}
void FakeWorld::apply(const ObjectKey&, const PutWriteAlias& action) {
  if (!indices_.contains(action.index)) return violate("an alias of an index that is not ours");
  indices_.at(action.index).writable = true;
}
IndexName FakeWorld::partition_name(const IndexName& index, Period period) {
  return model::partition_name(index, model::Every::kHour, period);
}
// Partitioned or not: what has no aliases of periods is not the worse for it.
void FakeWorld::show(const IndexName& name) {
  for (auto& [other, index] : indices_) {
    index.shown = other == name;
    for (auto& [_, partition] : index.partitions) partition.shown = index.shown;
  }
}
void FakeWorld::make_partition(const model::PipelineConfig& recipe, Period period) {
  indices_.at(recipe.generation_index)
      .partitions.try_emplace(period, Partition{.settings = {.replicas = 1,
                                                             .refresh_interval = kNeverRefreshed,
                                                             .gc_deletes = model::kGcDeletes},
                                                .mappings = recipe.index.spec.mappings.text});
}
void FakeWorld::apply(const ObjectKey&, const CreatePartitions& action) {
  const auto& name = action.recipe.generation_index;
  if (!indices_.contains(name)) return violate("partitions of no index are made");
  for (const auto period : action.periods) make_partition(action.recipe, period);
}
void FakeWorld::apply(const ObjectKey&, const SetPartitions& action) {
  if (!indices_.contains(action.generation)) return;
  for (auto& [period, partition] : indices_.at(action.generation).partitions) {
    const auto name = partition_name(action.generation, period);
    if (std::ranges::count(action.partitions, name) > 0) partition.settings = action.settings;
  }
}
void FakeWorld::apply(const ObjectKey&, const ShowPartitions& action) {
  if (alias(action.alias) != action.index) return violate("partitions are shown beside others");
  show(action.index);
}
void FakeWorld::apply(const ObjectKey&, const DropPartitions& action) {
  const auto index = indices_.find(action.generation);
  for (const auto& name : action.partitions) {
    if (index == indices_.end()) {
      strays_[action.generation].erase(name);
      continue;
    }
    const auto& spec = index->second.recipe.index.spec.partitioning;
    std::erase_if(index->second.partitions, [&](const auto& entry) {
      if (partition_name(action.generation, entry.first) != name) return false;
      const auto end = model::begin_of(spec->every, Period(entry.first.get() + 1));
      const auto kept = std::chrono::milliseconds(spec->retain).count();
      if (now_.time_since_epoch().count() <= end + kept)
        violate("a partition is dropped too early");
      return true;
    });
  }
  if (strays_[action.generation].empty()) strays_.erase(action.generation);
}
void FakeWorld::partition(const model::PipelineConfig& config) {
  const auto& spec = config.index.spec.partitioning;
  if (!spec || below(20) != 0) return;
  const auto window =
      model::window_at(spec->every, spec->retain, spec->ahead, now_.time_since_epoch().count());
  const Period one(window.oldest.get() + below(window.newest.get() - window.oldest.get() + 1));
  make_partition(config, one);
  add_fields(indices_.at(config.generation_index).partitions.at(one).mappings,
             config.index.spec.mappings.text);
}
void FakeWorld::apply(const ObjectKey& owner, const SwapAlias& action) {
  const auto at = aliases_.find(action.alias);
  const auto from = at == aliases_.end() ? std::vector<IndexName>{} : at->second.to;
  if (from == std::vector{action.to} && from != action.from) return;
  if (from != action.from) return violate("the alias moves from where it is not");
  if (!indices_.contains(action.to)) return violate("the alias moves to no index");
  if (indices_.at(action.to).closed) return violate("the alias moves to a closed index");
  if (!indices_.at(action.to).refreshed) {
    return violate(fmt::format("the alias moves to {}, which is not refreshed", action.to.get()));
  }
  if (!complete(action.to)) {
    return violate(fmt::format("the alias moves to {}, which is not complete", action.to.get()));
  }
  if (from.size() == 1 && from.front() != action.to &&
      shows_older(owner, from.front(), action.to)) {
    return violate(
        fmt::format("readers of {} see something older in {}", names(from), action.to.get()));
  }
  show(action.to);
  aliases_[action.alias] = {.to = {action.to}};
  served_[action.alias] = action.to;
}
void FakeWorld::apply(const ObjectKey&, const DeleteIndex& action) {
  const auto found = indices_.find(action.index);
  if (found == indices_.end()) {
    if (foreign_.contains(action.index)) violate("a foreign index is deleted");
    return;
  }
  if (!found->second.marked) violate("an index is deleted that is not known to be ours");
  const auto& its = found->second.recipe.index;
  const bool declared = std::ranges::any_of(resources_.indices, [&](const auto& one) {
    return object_key(one.metadata) == object_key(its.metadata) &&
           one.spec.index_name == its.spec.index_name;
  });
  const auto& alias = its.spec.index_name;
  const auto at = aliases_.find(alias);
  const bool read = at != aliases_.end() && std::ranges::count(at->second.to, action.index) > 0;
  if (declared && read) violate("the index under the alias is deleted");
  // Until somebody else has made another serve, there is nothing else to go back to.
  const bool last = served_.contains(alias) && served_.at(alias) == action.index;
  if (declared && last && !indices_.contains(this->alias(alias))) {
    violate("the index that served last is deleted, and no other serves");
  }
  remove_index(action.index);
}
void FakeWorld::remove_index(const IndexName& name) {
  const auto found = indices_.find(name);
  if (found != indices_.end()) {
    for (const auto& [period, _] : found->second.partitions) {
      strays_[name].insert(partition_name(name, period));
    }
  }
  indices_.erase(name);
  for (auto& [alias, one] : aliases_) std::erase(one.to, name);
  std::erase_if(aliases_, [](const auto& entry) { return entry.second.to.empty(); });
}
}  // namespace searchsync::plan
