#include "operator/plan/partitions.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/model/retention.h"
#include "operator/plan/drift.h"
#include "operator/plan/renew.h"

namespace searchsync::plan {
namespace {

using model::Period;
using std::chrono::milliseconds;

class PartitionPlanner {
 public:
  explicit PartitionPlanner(const PartitionsInput& input) : in_(input), view_(input.view) {}

  std::vector<Step> run() {
    for (const auto& generation : view_.seen.generations) {
      const auto* spec = partitioning_of(generation);
      if (spec == nullptr || in_.retired.contains(generation.index)) continue;
      shorten(generation, *spec);
      drop(generation, *spec);
      const bool counts = view_.is_target(generation) || view_.is_incumbent(generation);
      if (!counts || generation.closed) continue;
      make(generation, *spec);
      equip(generation);
      set(generation);
    }
    show();
    return std::move(steps_);
  }

 private:
  int64_t now_ms() const { return view_.in.now.time_since_epoch().count(); }

  void add(Action action, std::string reason, std::string precondition = "") {
    steps_.push_back({view_.key, std::move(action), std::move(reason), std::move(precondition)});
  }

  // First it is written down, then it is acted upon: what was dropped once stays so.
  void shorten(const ObservedGeneration& generation, const model::PartitioningSpec& spec) {
    const auto config = view_.config_of(generation);
    const bool renews = view_.renews && view_.is_target(generation);  // that says it, too
    if (!config || renews || config->index.spec.partitioning->retain >= spec.retain) return;
    auto recipe = *generation.recipe;
    recipe.index.spec.partitioning->retain = config->index.spec.partitioning->retain;
    add(WriteMeta{std::move(recipe)}, "partitions are to be kept for a shorter time");
  }

  Period oldest(const model::PartitioningSpec& spec) const {
    return model::window_at(spec.every, spec.retain + model::kDropAfter, spec.ahead, now_ms())
        .oldest;
  }

  void drop(const ObservedGeneration& generation, const model::PartitioningSpec& spec) {
    DropPartitions drop{.generation = generation.index, .partitions = {}};
    for (const auto& one : generation.partitions) {
      if (one.period < oldest(spec)) drop.partitions.push_back(one.index);
    }
    if (drop.partitions.empty()) return;
    add(std::move(drop), "partitioning.retain has passed since their end",
        "no worker writes to them any more");
  }

  // From now to what is ahead, and one more: so that there is time to make it.
  void make(const ObservedGeneration& generation, const model::PartitioningSpec& spec) {
    const auto config = view_.config_of(generation);
    if (!config) return;
    const auto window = model::window_at(spec.every, {}, spec.ahead, now_ms());
    CreatePartitions create{.recipe = *config, .periods = {}};
    for (int32_t at = window.oldest.get(); at <= window.newest.get() + 1; ++at) {
      const bool there = std::ranges::any_of(
          generation.partitions, [at](const auto& one) { return one.period == Period(at); });
      if (!there && create.periods.size() < kPartitionsMadeMax) create.periods.emplace_back(at);
    }
    if (create.periods.empty()) return;
    add(std::move(create), "documents of that time are about to come", "they do not exist");
  }

  void equip(const ObservedGeneration& generation) {
    AddFields fields{.generation = generation.index,
                     .content = content_of(*generation.recipe),
                     .indices = {},
                     .mappings = generation.recipe->index.spec.mappings.text};
    for (const auto& one : generation.partitions) {
      if (one.lacks && !one.closed) fields.indices.push_back(one.index);
    }
    if (fields.indices.empty()) return;
    add(std::move(fields), "workers with an older configuration have made partitions without");
  }

  void set(const ObservedGeneration& generation) {
    const auto& note = in_.notes.generations.at(generation.index);
    const auto wanted = wanted_settings(view_, note);
    const bool hands_off = view_.spec.drift == model::Drift::kReport && set_by_others(note, wanted);
    SetPartitions set{.generation = generation.index, .partitions = {}, .settings = wanted};
    for (const auto& one : generation.partitions) {
      const bool fresh = one.settings.refresh_interval == kNeverRefreshed;
      if (one.closed || one.settings == wanted || (hands_off && !fresh)) continue;
      set.partitions.push_back(one.index);
    }
    if (set.partitions.empty()) return;
    add(std::move(set), "they have other settings than declared");
  }

  // What workers have made of the index that is read is not read before. While the alias is about
  // to move it is moved with all of them.
  void show() {
    const auto* serving = view_.serving;
    if (serving == nullptr || in_.heading != nullptr || !view_.is_incumbent(*serving)) return;
    const auto* spec = partitioning_of(*serving);
    if (spec == nullptr || serving->closed || alias_moved(view_)) return;
    const bool unread = std::ranges::any_of(serving->partitions, [&](const auto& one) {
      return !one.read && one.period >= oldest(*spec);
    });
    if (!unread && serving->read && !view_.seen.readers_astray) return;
    add(ShowPartitions{.alias = view_.spec.index_name, .index = serving->index},
        "readers do not read all of it yet", "it is what they read");
  }

  const PartitionsInput& in_;
  const IndexView& view_;
  std::vector<Step> steps_;
};

}  // namespace

const model::PartitioningSpec* partitioning_of(const ObservedGeneration& generation) {
  const bool known = generation.recipe && generation.recipe->index.spec.partitioning;
  return known ? &*generation.recipe->index.spec.partitioning : nullptr;
}

void limit_retention(const std::optional<model::PartitioningSpec>& one,
                     std::optional<model::PartitioningSpec>& kept) {
  if (one && kept) kept->retain = std::min(kept->retain, one->retain);
}

Layout layout_of(const IndexView& view, const ObservedGeneration& to) {
  const bool any =
      partitioning_of(to) != nullptr || !to.partitions.empty() ||
      std::ranges::any_of(view.seen.alias, [&](const IndexName& name) {
        const auto* from = view.generation(name);
        return from != nullptr && (partitioning_of(*from) != nullptr || !from->partitions.empty());
      });
  return any ? Layout::kPartitioned : Layout::kWhole;
}

std::vector<const ObservedPartition*> altered_partitions(const ObservedGeneration& generation,
                                                         const IndexSettings& wanted) {
  std::vector<const ObservedPartition*> altered;
  for (const auto& one : generation.partitions) {
    const bool fresh = one.settings.refresh_interval == kNeverRefreshed;
    if (!fresh && one.settings != wanted) altered.push_back(&one);
  }
  return altered;
}

std::optional<std::chrono::seconds> log_retention(const IndexView& view,
                                                  const std::string& document_log) {
  std::optional<std::chrono::seconds> longest;
  std::string time;
  for (const auto& one : view.seen.generations) {
    if (one.document_log != document_log) continue;
    const auto* spec = partitioning_of(one);
    if (spec == nullptr) return std::nullopt;
    auto its = model::time_source(one.recipe->index, one.recipe->bindings);
    if (longest && its != time) return std::nullopt;
    time = std::move(its);
    longest = std::max(longest.value_or(spec->retain), spec->retain);
  }
  return longest;
}

std::string retention_message(const IndexView& view) {
  const auto* made = view.target == nullptr ? nullptr : partitioning_of(*view.target);
  if (made == nullptr || view.spec.partitioning->retain <= made->retain) return "";
  const auto hours = [](std::chrono::seconds time) {
    return std::chrono::floor<std::chrono::hours>(time).count();
  };
  return fmt::format(
      "index {} keeps partitions for {} hours, not {}: what was dropped does not "
      "come back. Raise spec.reindex.revision to build it anew with more",
      view.target_name.get(), hours(made->retain), hours(view.spec.partitioning->retain));
}

std::vector<Step> plan_partitions(const PartitionsInput& input) {
  return PartitionPlanner(input).run();
}

std::vector<Step> drop_all(const ObjectKey& owner, const ObservedGeneration& generation,
                           const std::string& reason) {
  if (generation.partitions.empty()) return {};
  DropPartitions drop{.generation = generation.index, .partitions = {}};
  for (const auto& one : generation.partitions) drop.partitions.push_back(one.index);
  return {{owner, std::move(drop), reason, "the index that they belong to is deleted"}};
}

std::vector<Step> drop_strays(const ObjectKey& owner, const ObservedIndex& seen) {
  std::vector<Step> steps;
  for (const auto& [generation, partitions] : seen.strays) {
    steps.push_back({owner, DropPartitions{.generation = generation, .partitions = partitions},
                     "the index that they belong to is gone", ""});
  }
  return steps;
}

}  // namespace searchsync::plan
