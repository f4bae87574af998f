#pragma once

// The observation of one index, with names worked out and questions that several steps ask of it.

#include <optional>
#include <string>

#include "operator/plan/index_planner.h"

namespace searchsync::plan {

inline constexpr Generation kFirstGeneration{1};

// Refers to the input, which must outlive it.
struct IndexView {
  explicit IndexView(const IndexInput& input);

  bool is_target(const ObservedGeneration& g) const { return &g == target; }
  bool is_serving(const ObservedGeneration& g) const { return &g == serving; }
  bool serves(const std::string& topic) const {
    return serving != nullptr && serving->document_log == topic;
  }
  bool targets(const std::string& topic) const {
    return target != nullptr && target->document_log == topic;
  }

  // Null: there is no such index, or topic.
  const ObservedGeneration* generation(const IndexName& name) const;
  const ObservedTopic* topic(const std::string& name) const;

  // The generation of that number; the declared one if there are two (see
  // IndexPlanner::next_generation).
  const ObservedGeneration* with_number(const std::string& document_log, Generation number) const;

  // Two of one number: the one that neither is declared nor serves has nothing to do.
  bool superseded(const ObservedGeneration& generation) const;

  Committed folded(const ObservedGeneration& generation) const;
  std::string worker_name_of(const ObservedGeneration& generation) const;
  bool halted(const ObservedGeneration& generation) const;

  // Whether the declared or an existing generation is built from it.
  bool uses_log(const std::string& document_log) const;
  std::string document_log_prefix() const;  // "searchsync.<namespace>.<name>.log-"

  model::PipelineConfig declared_config(Generation generation) const;
  // What to run a generation with; nothing if its recipe cannot be read.
  std::optional<model::PipelineConfig> config_of(const ObservedGeneration& generation) const;
  bool sources_exist(const model::PipelineConfig& config) const;

  const IndexInput& in;
  const ObservedIndex& seen;
  const model::SearchIndexSpec& spec;
  const ObjectKey key;
  const std::string log;        // the declared document log
  const IndexName target_name;  // the declared generation
  const ObservedGeneration* target = nullptr;
  const ObservedGeneration* serving = nullptr;
};

Stall find_stall(const IndexView& view);

// The notes, with all that the observation has to add.
IndexNotes keep_notes(const IndexView& view);

Generation leader_number(const IndexNotes& notes, const std::string& document_log);

}  // namespace searchsync::plan
