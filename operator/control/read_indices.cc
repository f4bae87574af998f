// What the search engine says of an index and its partitions, as the planner sees it.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/elastic/index_body.h"
#include "lib/elastic/index_drift.h"
#include "lib/elastic/mixable.h"
#include "lib/elastic/readers.h"
#include "lib/model/pipeline.h"
#include "operator/control/engine.h"

namespace searchsync::control {
namespace {

using nlohmann::json;

// "1s", "500ms", "2m"; "-1" is never.
std::chrono::milliseconds read_time(const std::string& text) {
  char* unit = nullptr;
  const auto number = std::strtoll(text.c_str(), &unit, 10);
  const std::string_view name(unit);
  if (name == "s") return std::chrono::seconds(number);
  if (name == "m") return std::chrono::minutes(number);
  if (name == "h") return std::chrono::hours(number);
  if (name == "d") return std::chrono::hours(24 * number);
  return std::chrono::milliseconds(number);
}

plan::IndexSettings read_settings(const elastic::IndexState& index) {
  const json settings = json::parse(index.settings, nullptr, false);
  const auto setting = [&](const char* name, std::string otherwise) {
    return settings.is_object() ? settings.value(name, otherwise) : otherwise;
  };
  return {.replicas = std::atoi(setting("index.number_of_replicas", "1").c_str()),
          .refresh_interval = read_time(setting("index.refresh_interval", "1s")),
          .gc_deletes = read_time(setting("index.gc_deletes", "60s"))};
}

// Nothing: it cannot be read. Errors: kMalformed: there is none, or it is another index's.
Result<std::optional<model::PipelineConfig>> read_recipe(const elastic::IndexState& index) {
  const json mappings = json::parse(index.mappings, nullptr, false);
  const auto at = json::json_pointer("/_meta/searchsync/recipe");
  if (!mappings.is_object() || !mappings.contains(at) || !mappings.at(at).is_string()) {
    return fail(ErrorCode::kMalformed, "no recipe");
  }
  auto recipe = model::parse_pipeline_config(mappings.at(at).get<std::string>());
  if (!recipe) return std::nullopt;
  const bool its = recipe->generation_index == index.name &&
                   recipe->generation == index.meta->generation &&
                   recipe->document_log == index.meta->document_log;
  if (!its) return fail(ErrorCode::kMalformed, "another index's recipe");
  return std::move(*recipe);
}

// A class only to share what is known between the steps.
class Reading {
 public:
  Reading(const std::vector<elastic::IndexState>& indices, const model::SearchIndex& index,
          plan::ObservedIndex& seen)
      : indices_(indices),
        alias_(index.spec.index_name),
        key_(plan::object_key(index.metadata)),
        seen_(seen) {}

  void read(const std::vector<IndexName>& targets) {
    for (const auto& one : indices_) {
      auto generation = read_generation(one, key_);
      if (!generation) continue;
      generation->narrowed = one.narrowed.contains(alias_);
      generation->read = reads(one, elastic::kNoPartition);
      const bool partitioned =
          generation->recipe && generation->recipe->index.spec.partitioning.has_value();
      if (partitioned) generation->mappings = one.mappings;
      seen_.generations.push_back(std::move(*generation));
    }
    // In order of name: an index comes before its partitions.
    for (const auto& one : indices_) {
      const bool known =
          std::ranges::find(seen_.generations, one.name, &plan::ObservedGeneration::index) !=
          seen_.generations.end();
      if (!known && !read_partition(one) && !read_stray(one)) read_other(one);
    }
    read_alias(targets);
  }

 private:
  bool is_ours(const elastic::IndexState& one) const {
    return one.has_write_alias && (!one.meta || one.meta->index == key_);
  }

  // Whether all aliases lead to it that should, whole.
  bool reads(const elastic::IndexState& one, std::string_view partition) const {
    return std::ranges::all_of(
        std::array{alias_, elastic::partition_alias(alias_, partition)}, [&](const auto& alias) {
          return std::ranges::count(one.aliases, alias) > 0 && !one.narrowed.contains(alias);
        });
  }

  static std::optional<model::Period> period_of(const plan::ObservedGeneration& generation,
                                                std::string_view name) {
    using enum model::Every;
    if (generation.recipe) {
      const auto& spec = generation.recipe->index.spec.partitioning;
      return spec ? model::parse_period(spec->every, name) : std::nullopt;
    }
    for (const auto every : {kHour, kDay, kMonth}) {
      if (const auto period = model::parse_period(every, name)) return period;
    }
    return std::nullopt;
  }

  bool read_partition(const elastic::IndexState& one) {
    if (!is_ours(one)) return false;
    for (auto* all : {&seen_.generations, &seen_.unmarked}) {
      for (auto& generation : *all) {
        const auto prefix = generation.index.get() + "-";
        if (!one.name.get().starts_with(prefix)) continue;
        const auto name = one.name.get().substr(prefix.size());
        const auto period = period_of(generation, name);
        if (!period) continue;
        generation.partitions.push_back({.period = *period,
                                         .index = one.name,
                                         .settings = read_settings(one),
                                         .closed = one.closed,
                                         .read = reads(one, name)});
        if (one.narrowed.contains(alias_)) generation.narrowed = true;
        generation_of_[one.name] = generation.index;
        const auto day = elastic::partition_alias(alias_, name);
        if (std::ranges::count(one.aliases, day) > 0) led_to_.insert(generation.index);
        return true;
      }
    }
    return false;
  }

  bool read_stray(const elastic::IndexState& one) {
    if (!is_ours(one) || !one.meta || !one.meta->partition_of) return false;
    const auto& of = *one.meta->partition_of;
    if (std::ranges::find(indices_, of, &elastic::IndexState::name) != indices_.end()) return false;
    seen_.strays[of].push_back(one.name);
    strays_.insert(one.name);
    return true;
  }

  void read_other(const elastic::IndexState& one) {
    seen_.foreign.emplace(one.name, one.meta && !is_ours(one) ? one.meta->index : "");
    if (!is_ours(one)) return;
    seen_.unmarked.push_back({.index = one.name,
                              .generation = {},
                              .document_log = {},
                              .recipe = {},
                              .settings = read_settings(one),
                              .differences = {},
                              .narrowed = one.narrowed.contains(alias_),
                              .closed = one.closed,
                              .writable = one.writable,
                              .partitions = {},
                              .read = reads(one, elastic::kNoPartition)});
  }

  void read_alias(const std::vector<IndexName>& targets) {
    std::set<IndexName> alias;
    for (const auto& target : targets) {
      if (strays_.contains(target)) continue;
      const auto of = generation_of_.find(target);
      alias.insert(of == generation_of_.end() ? target : of->second);
    }
    seen_.alias.assign(alias.begin(), alias.end());
    seen_.readers_astray = std::ranges::any_of(
        led_to_, [&](const IndexName& generation) { return !alias.contains(generation); });
  }

  const std::vector<elastic::IndexState>& indices_;
  const std::string alias_;
  const plan::ObjectKey key_;
  plan::ObservedIndex& seen_;
  std::map<IndexName, IndexName> generation_of_;  // by partition
  std::set<IndexName> strays_;
  std::set<IndexName> led_to_;  // generations, by the aliases of periods
};

}  // namespace

std::optional<plan::ObservedGeneration> read_generation(const elastic::IndexState& index,
                                                        const plan::ObjectKey& key) {
  if (!index.meta || index.meta->index != key) return std::nullopt;
  auto recipe = read_recipe(index);
  if (!recipe) return std::nullopt;
  return plan::ObservedGeneration{.index = index.name,
                                  .generation = index.meta->generation,
                                  .document_log = index.meta->document_log,
                                  .recipe = std::move(*recipe),
                                  .settings = read_settings(index),
                                  .differences = {},
                                  .closed = index.closed,
                                  .writable = index.writable};
}

std::vector<std::string> differences(const elastic::IndexState& index,
                                     const model::PipelineConfig& recipe) {
  const auto body = elastic::index_body(recipe.index, recipe.generation_index, recipe.generation,
                                        recipe.document_log);
  const auto before = recipe.renewed ? elastic::Before::kOthers : elastic::Before::kNothing;
  return body ? elastic::index_drift(*body, index, before) : std::vector<std::string>{};
}

std::vector<std::string> lacking(const elastic::IndexState& partition,
                                 const model::PipelineConfig& recipe) {
  auto fields = elastic::new_fields(partition.mappings, recipe.index.spec.mappings.text);
  return fields.conflict.empty() ? std::move(fields.missing) : std::vector<std::string>{};
}

void read_indices(const std::vector<elastic::IndexState>& indices, const model::SearchIndex& index,
                  const std::vector<IndexName>& targets, plan::ObservedIndex& seen) {
  Reading(indices, index, seen).read(targets);
}

}  // namespace searchsync::control
