#include "operator/plan/tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "lib/model/pipeline.h"
#include "operator/plan/topics.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

bool built_from(const ObservedGeneration& generation, const std::string& table) {
  return generation.recipe &&
         std::ranges::any_of(generation.recipe->bindings, [&](const auto& binding) {
           return binding.spec.aggregate && model::row_topic(binding) == table;
         });
}

bool has_begun(const IndexView& view, const std::string& table) {
  return view.seen.groups.contains(model::aggregate_group(table));
}

// Whether no process writes the table any more, or ever did.
bool is_idle(const IndexView& view) {
  const auto* running = view.in.observed.workload(aggregate_name(view.in.index));
  if (running == nullptr) return true;
  const auto wanted = aggregate_workload(view);
  return wanted && wanted->hash == running->hash;
}

// Those that the events have, or will have once their topic is made; nothing: nobody knows.
std::optional<int32_t> event_partitions(const IndexView& view,
                                        const model::SourceBinding& binding) {
  const auto* events = view.topic(model::source_topic(binding.spec.source));
  if (events != nullptr) return static_cast<int32_t>(events->end.size());
  const auto create = event_topic(view.in.index, binding.spec.source);
  return create ? std::optional(create->partitions) : std::nullopt;
}

}  // namespace

std::vector<model::SourceBinding> tables_of(const IndexView& view) {
  std::map<std::string, model::SourceBinding> tables;
  const auto add = [&](std::span<const model::SourceBinding> bindings) {
    for (const auto& binding : bindings) {
      if (binding.spec.aggregate) tables.try_emplace(model::row_topic(binding), binding);
    }
  };
  add(view.in.bindings);
  for (const auto& generation : view.seen.generations) {
    if (generation.recipe) add(generation.recipe->bindings);
  }
  std::vector<model::SourceBinding> all;
  for (auto& [table, binding] : tables) all.push_back(std::move(binding));
  return all;
}

bool plan_tables(const IndexView& view, std::vector<Step>& steps, std::string& pending) {
  bool waits = false;
  const auto add = [&](Action action, std::string reason, std::string precondition) {
    steps.push_back({view.key, std::move(action), std::move(reason), std::move(precondition)});
  };
  for (const auto& binding : view.in.bindings) {
    if (!binding.spec.aggregate) continue;
    const auto table = model::row_topic(binding);
    if (view.topic(table) != nullptr) continue;
    if (pending.empty()) {
      pending =
          fmt::format("table {} of binding {} does not exist yet", table, binding.metadata.name);
    }
    const auto partitions = event_partitions(view, binding);
    const bool begun = has_begun(view, table);
    if (!partitions || (begun && !is_idle(view))) {
      waits = true;
      continue;
    }
    if (begun) {
      add(DeleteGroup{model::aggregate_group(table)}, "a new table begins with the first event",
          "its table does not exist");
    }
    add(table_topic(view.in.index, table, *partitions), "events are aggregated into it",
        "it does not exist");
  }
  // What is built from it can be told only of generations whose recipe can be read.
  const bool known = std::ranges::all_of(
      view.seen.generations, [](const auto& generation) { return generation.recipe.has_value(); });
  const auto tables = tables_of(view);
  for (const auto& [name, offsets] : view.seen.topics) {
    if (!known || !name.starts_with(model::table_prefix(view.in.index))) continue;
    if (std::ranges::find(tables, name, &model::row_topic) != tables.end() || !is_idle(view)) {
      continue;
    }
    add(DeleteTopic{name}, "no generation is built from it any more", "no process writes it");
    add(DeleteGroup{model::aggregate_group(name)}, "its table is gone", "no process writes it");
  }
  return waits;
}

Stall table_stall(const IndexView& view) {
  for (const auto& binding : view.in.bindings) {
    if (!binding.spec.aggregate) continue;
    const auto name = model::row_topic(binding);
    const auto source = model::source_topic(binding.spec.source);
    const auto* table = view.topic(name);
    const auto* events = view.topic(source);
    const auto remedy =
        fmt::format("raise spec.aggregate.revision of binding {} to count anew, into another table",
                    binding.metadata.name);
    for (const auto& generation : view.seen.generations) {
      if (table == nullptr && built_from(generation, name)) {
        return {"TableLost", fmt::format("topic {} is gone, but index {} was built from it: {}",
                                         name, generation.index.get(), remedy)};
      }
    }
    if (events == nullptr) continue;
    if (table != nullptr && table->end.size() != events->end.size()) {
      return {
          "EventPartitionsChanged",
          fmt::format("topic {} has {} partitions now, and its table was made for {}: events of "
                      "one group are in two partitions. Write the events into a new topic",
                      source, events->end.size(), table->end.size())};
    }
    const bool gone = std::ranges::any_of(events->begin, [](Offset at) { return at.get() > 0; });
    if (table == nullptr && gone &&
        binding.spec.aggregate->history == model::EventHistory::kWhole) {
      return {"EventsGone",
              fmt::format("the first events of topic {} are gone, and would be missing in what "
                          "binding {} counts: set spec.aggregate.history to Kept to count what is "
                          "there",
                          source, binding.metadata.name)};
    }
  }
  return {};
}

std::optional<Workload> aggregate_workload(const IndexView& view) {
  std::vector<model::SourceBinding> there;
  for (auto& binding : tables_of(view)) {
    if (view.topic(model::row_topic(binding)) == nullptr ||
        view.topic(model::source_topic(binding.spec.source)) == nullptr) {
      continue;
    }
    there.push_back(std::move(binding));
  }
  return aggregate_workload(view.in.observed, view.in.index, std::move(there));
}

}  // namespace searchsync::plan
