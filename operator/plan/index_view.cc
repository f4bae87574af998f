#include "operator/plan/index_view.h"

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {

IndexView::IndexView(const IndexInput& input)
    : in(input),
      seen(input.seen),
      spec(input.index.spec),
      key(object_key(input.index.metadata)),
      log(model::document_log_name(input.index, input.bindings)),
      target_name(model::generation_index_name(input.index, input.bindings)),
      target(generation(target_name)) {
  if (seen.alias.size() == 1) serving = generation(seen.alias.front());
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
  if (is_target(generation) || is_serving(generation)) return false;
  return std::ranges::any_of(seen.generations, [&](const auto& other) {
    return (is_target(other) || is_serving(other)) &&
           other.document_log == generation.document_log &&
           other.generation == generation.generation;
  });
}

Committed IndexView::folded(const ObservedGeneration& generation) const {
  return seen.committed(model::fold_group(in.index, generation.index), generation.document_log);
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
  if (is_target(generation)) return declared_config(generation.generation);
  if (!generation.recipe) return std::nullopt;
  auto config = with_current_settings(*generation.recipe, in.index);
  config.generation = generation.generation;
  config.generation_index = generation.index;
  config.document_log = generation.document_log;
  return config;
}

bool IndexView::sources_exist(const model::PipelineConfig& config) const {
  return std::ranges::all_of(config.bindings, [this](const auto& binding) {
    return topic(model::source_topic(binding.spec.source)) != nullptr;
  });
}

}  // namespace searchsync::plan
