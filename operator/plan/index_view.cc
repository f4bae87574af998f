#include "operator/plan/index_view.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "lib/model/pipeline.h"
#include "operator/plan/gate.h"
#include "operator/plan/partitions.h"
#include "operator/plan/renew.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {

IndexView::IndexView(const IndexInput& input)
    : in(input),
      seen(input.seen),
      spec(input.index.spec),
      key(object_key(input.index.metadata)),
      log(model::document_log_name(input.index, input.bindings)),
      target_name(declared_name(input.seen, input.index, input.bindings)),
      target(generation(target_name)) {
  if (seen.alias.size() == 1) serving = generation(seen.alias.front());
  incumbent = find_incumbent();
  if (target != nullptr || incumbent == nullptr || !in_place(spec)) return;
  if (!why_not_renewed(*this, *incumbent).empty()) return;
  renews = true;
  target = incumbent;
  target_name = incumbent->index;
}

// The one that served last, wherever somebody else has moved the alias since; but it is no matter
// who moved it to what is declared and complete. Who served last may be unknown, or gone: then the
// alias is right, unless it is known that it leads to what is not complete.
const ObservedGeneration* IndexView::find_incumbent() const {
  const auto& notes = seen.notes;
  const auto complete = [&](const ObservedGeneration& one) {
    const auto* its = note(one);
    return its != nullptr && its->complete;
  };
  const auto* last = notes.serving ? generation(*notes.serving) : nullptr;
  if (last != nullptr && !complete(*last)) last = nullptr;
  if (serving == nullptr || serving == last) return last;
  if (last == nullptr) return note(*serving) == nullptr || complete(*serving) ? serving : nullptr;
  const bool right =
      notes.moving_to == serving->index || (is_target(*serving) && complete(*serving));
  return right ? serving : last;
}

bool IndexView::is_read(const ObservedGeneration& g) const {
  return is_incumbent(g) || std::ranges::find(seen.alias, g.index) != seen.alias.end();
}

bool IndexView::reads(const std::string& topic) const {
  return std::ranges::any_of(
      seen.generations, [&](const auto& one) { return one.document_log == topic && is_read(one); });
}

const GenerationNote* IndexView::note(const ObservedGeneration& generation) const {
  const auto found = seen.notes.generations.find(generation.index);
  const bool known =
      found != seen.notes.generations.end() && found->second.generation == generation.generation;
  return known ? &found->second : nullptr;
}

const ObservedGeneration* IndexView::generation(const IndexName& name) const {
  const auto found = std::ranges::find(seen.generations, name, &ObservedGeneration::index);
  return found == seen.generations.end() ? nullptr : &*found;
}

const ObservedTopic* IndexView::topic(const std::string& name) const {
  const auto found = seen.topics.find(name);
  return found == seen.topics.end() ? nullptr : &found->second;
}

const ObservedGeneration* IndexView::with_number(const std::string& document_log,
                                                 Generation number) const {
  const ObservedGeneration* result = nullptr;
  for (const auto& one : seen.generations) {
    if (one.document_log != document_log || one.generation != number) continue;
    if (result == nullptr || is_target(one)) result = &one;
  }
  return result;
}

bool IndexView::superseded(const ObservedGeneration& generation) const {
  if (is_target(generation) || is_read(generation)) return false;
  return std::ranges::any_of(seen.generations, [&](const auto& other) {
    return (is_target(other) || is_read(other)) && other.document_log == generation.document_log &&
           other.generation == generation.generation;
  });
}

Committed IndexView::folded(const ObservedGeneration& generation) const {
  return seen.committed(model::fold_group(in.index, generation.index), generation.document_log);
}

std::optional<int64_t> IndexView::lag(const ObservedGeneration& generation,
                                      std::span<const model::SourceBinding> bindings) const {
  const auto* its_log = topic(generation.document_log);
  if (its_log == nullptr) return std::nullopt;
  int64_t records = lag_records(folded(generation), its_log->begin, its_log->end);
  std::set<std::string> sources;
  for (const auto& binding : bindings) sources.insert(model::row_topic(binding));
  for (const auto& name : sources) {
    const auto* source = topic(name);
    if (source == nullptr) return std::nullopt;
    records += lag_records(seen.committed(model::route_group(in.index, bindings), name),
                           source->begin, source->end);
  }
  return records;
}

std::string IndexView::worker_name_of(const ObservedGeneration& generation) const {
  return worker_name(in.index, generation.index, generation.generation);
}

bool IndexView::halted(const ObservedGeneration& generation) const {
  const auto* workers = in.observed.workload(worker_name_of(generation));
  return workers != nullptr && !workers->halts.empty();
}

bool IndexView::uses_log(const std::string& document_log) const {
  return document_log == log || std::ranges::any_of(seen.generations, [&](const auto& one) {
           return one.document_log == document_log;
         });
}

std::string IndexView::document_log_prefix() const {
  return log.substr(0, log.size() - model::topology_hash(in.index, in.bindings).size());
}

model::PipelineConfig IndexView::declared_config(Generation generation) const {
  return {.index = in.index,
          .bindings = {in.bindings.begin(), in.bindings.end()},
          .generation = generation,
          .generation_index = target_name,
          .document_log = log};
}

std::optional<model::PipelineConfig> IndexView::config_of(
    const ObservedGeneration& generation) const {
  if (is_target(generation) && !renews) {
    auto config = declared_config(generation.generation);
    if (generation.recipe) {
      limit_retention(generation.recipe->index.spec.partitioning, config.index.spec.partitioning);
    }
    return config;
  }
  if (!generation.recipe) return std::nullopt;
  auto config = with_current_settings(*generation.recipe, in.index);
  config.generation = generation.generation;
  config.generation_index = generation.index;
  config.document_log = generation.document_log;
  return config;
}

std::vector<model::SourceBinding> IndexView::with_topics() const {
  std::vector<model::SourceBinding> found;
  std::ranges::copy_if(in.bindings, std::back_inserter(found), [this](const auto& binding) {
    return topic(model::source_topic(binding.spec.source)) != nullptr;
  });
  return found;
}

bool IndexView::sources_exist(const model::PipelineConfig& config) const {
  return std::ranges::all_of(config.bindings, [this](const auto& binding) {
    return topic(model::row_topic(binding)) != nullptr;
  });
}

}  // namespace searchsync::plan
