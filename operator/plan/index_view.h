#pragma once

// The observation of one index, with names worked out and questions that several steps ask of it.

#include <optional>
#include <span>
#include <string>

#include "operator/plan/index_planner.h"

namespace searchsync::plan {

inline constexpr Generation kFirstGeneration{1};

// Refers to the input, which must outlive it.
struct IndexView {
  explicit IndexView(const IndexInput& input);

  bool is_target(const ObservedGeneration& g) const { return &g == target; }
  bool is_serving(const ObservedGeneration& g) const { return &g == serving; }
  bool is_incumbent(const ObservedGeneration& g) const { return &g == incumbent; }
  // Whether readers need it, perhaps among others, now or as soon as the alias is put back.
  bool is_read(const ObservedGeneration& g) const;
  // Whether one of those is built from it.
  bool reads(const std::string& topic) const;
  bool incumbent_on(const std::string& topic) const {
    return incumbent != nullptr && incumbent->document_log == topic;
  }
  bool targets(const std::string& topic) const {
    return target != nullptr && target->document_log == topic;
  }

  // Null: there is no such index, or topic.
  const ObservedGeneration* generation(const IndexName& name) const;
  // Null: nobody remembers it. As it was observed, before keep_notes().
  const GenerationNote* note(const ObservedGeneration& generation) const;
  const ObservedTopic* topic(const std::string& name) const;

  // The generation of that number; the declared one if there are two (see
  // IndexPlanner::next_generation).
  const ObservedGeneration* with_number(const std::string& document_log, Generation number) const;

  // Two of one number: the one that neither is declared nor read has nothing to do.
  bool superseded(const ObservedGeneration& generation) const;

  Committed folded(const ObservedGeneration& generation) const;
  // Records that are yet to be routed or folded for it; nothing: not known.
  std::optional<int64_t> lag(const ObservedGeneration& generation,
                             std::span<const model::SourceBinding> bindings) const;
  std::string worker_name_of(const ObservedGeneration& generation) const;
  bool halted(const ObservedGeneration& generation) const;

  // Whether the declared or an existing generation is built from it.
  bool uses_log(const std::string& document_log) const;
  std::string document_log_prefix() const;  // "searchsync.<namespace>.<name>.log-"

  model::PipelineConfig declared_config(Generation generation) const;
  // What to run a generation with; nothing if its recipe cannot be read.
  std::optional<model::PipelineConfig> config_of(const ObservedGeneration& generation) const;
  bool sources_exist(const model::PipelineConfig& config) const;
  // What is declared, as far as the topic that it reads exists.
  std::vector<model::SourceBinding> with_topics() const;

  const IndexInput& in;
  const ObservedIndex& seen;
  const model::SearchIndexSpec& spec;
  const ObjectKey key;
  const std::string log;  // the declared document log
  IndexName target_name;  // the declared generation
  const ObservedGeneration* target = nullptr;
  bool renews = false;  // the target is to become what is declared: see renew.h
  const ObservedGeneration* serving = nullptr;  // to which alone the alias leads
  // The one to which the alias should lead until another is ready: see find_incumbent().
  const ObservedGeneration* incumbent = nullptr;

 private:
  const ObservedGeneration* find_incumbent() const;
};

Stall find_stall(const IndexView& view);

// The notes, with all that the observation has to add.
IndexNotes keep_notes(const IndexView& view);

}  // namespace searchsync::plan
