#include "operator/plan/fake_world.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/gate.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {

void FakeWorld::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void FakeWorld::halt_worker(const std::string& name, const std::string& binding) {
  halted_[name] = binding;
}

Committed& FakeWorld::committed(const std::string& group, const std::string& topic) {
  auto& offsets = groups_[group][topic];
  offsets.resize(topics_.at(topic).size());
  return offsets;
}

void FakeWorld::work(int steps) {
  if (broken_.contains(Fault::kKafka)) return;
  for (int i = 0; i < steps; ++i) {
    capture();
    if (broken_.contains(Fault::kWorkers) || broken_.contains(Fault::kEngine)) continue;
    std::vector<const Running*> workers;
    for (const auto& [name, running] : running_) {
      if (!running.pipeline || workloads_.at(name).role != Role::kWorker) continue;
      const auto& config = *running.pipeline;
      if (!halted_.contains(name) && topics_.contains(config.document_log) &&
          indices_.contains(config.generation_index)) {
        workers.push_back(&running);
      }
    }
    if (workers.empty()) continue;
    const auto* worker = workers[static_cast<size_t>(below(static_cast<int>(workers.size())))];
    if (below(2) == 0) {
      route(*worker);
    } else {
      fold(*worker);
    }
  }
}

void FakeWorld::capture() {
  for (const auto& [name, running] : running_) {
    if (!running.capture) continue;
    for (const auto& [table, topic] : running.capture->tables) {
      auto& rows = topics_.try_emplace(topic, 1).first->second[0];
      Table& source = tables_[table];
      if (static_cast<int64_t>(rows.size()) < source.initial) {
        rows.push_back({.initial = true});
      } else {
        source.captured = true;
        if (traffic_ && below(20) == 0) rows.push_back({});
      }
    }
  }
}

void FakeWorld::route(const Running& running) {
  const auto& config = *running.pipeline;
  auto& log = topics_.at(config.document_log);
  for (const auto& binding : config.bindings) {
    const auto topic = model::source_topic(binding.spec.source);
    if (!topics_.contains(topic)) continue;
    const auto& rows = topics_.at(topic)[0];
    auto& position = committed(running.route_group, topic)[0];
    const auto next = static_cast<size_t>(position ? position->get() : 0);
    if (next >= rows.size()) continue;
    auto& partition = log[static_cast<size_t>(below(static_cast<int>(log.size())))];
    partition.push_back({.hops = below(running.rounds), .initial = rows[next].initial});
    position = Offset(static_cast<int64_t>(next) + 1);
    return;
  }
}

Generation FakeWorld::leader_at(const Partitions& log, size_t partition, size_t offset) const {
  for (size_t i = offset; i-- > 0;) {
    if (log[partition][i].lead) return *log[partition][i].lead;
  }
  return Generation(1);
}

void FakeWorld::fold(const Running& running) {
  const auto& config = *running.pipeline;
  auto& log = topics_.at(config.document_log);
  const auto p = static_cast<size_t>(below(static_cast<int>(log.size())));
  auto& position = committed(running.fold_group, config.document_log)[p];
  const auto next = static_cast<size_t>(position ? position->get() : 0);
  if (next >= log[p].size()) return;
  Record& record = log[p][next];
  if (record.hops > 0 && !record.answered && leader_at(log, p, next) == config.generation) {
    record.answered = true;
    const Record answer{.hops = record.hops - 1, .initial = record.initial};
    log[static_cast<size_t>(below(static_cast<int>(log.size())))].push_back(answer);
  }
  position = Offset(static_cast<int64_t>(next) + 1);
}

bool FakeWorld::complete(const IndexName& name) const {
  const auto& recipe = indices_.at(name).recipe;
  const auto log = topics_.find(recipe.document_log);
  if (log == topics_.end()) return false;
  const auto route = groups_.find(model::route_group(recipe.index, recipe.bindings));
  for (const auto& binding : recipe.bindings) {
    const auto& table = std::get<model::PostgresSource>(binding.spec.source).table;
    const auto initial = tables_.at(table).initial;
    if (initial == 0) continue;
    if (route == groups_.end()) return false;
    const auto routed = route->second.find(model::source_topic(binding.spec.source));
    if (routed == route->second.end() || !routed->second[0] || routed->second[0]->get() < initial) {
      return false;
    }
  }
  const auto group = groups_.find(model::fold_group(recipe.index, name));
  for (size_t p = 0; p < log->second.size(); ++p) {
    int64_t folded = 0;
    if (group != groups_.end()) {
      const auto& offset = group->second.at(recipe.document_log)[p];
      folded = offset ? offset->get() : 0;
    }
    bool begun = false;
    for (size_t i = 0; i < log->second[p].size(); ++i) {
      const Record& record = log->second[p][i];
      begun = begun || (record.begin == recipe.generation && static_cast<int64_t>(i) < folded);
      if (!record.initial) continue;
      if (static_cast<int64_t>(i) >= folded || (record.hops > 0 && !record.answered)) return false;
    }
    if (!begun) return false;
  }
  return true;
}

bool FakeWorld::settled(const IndexName& name) const {
  const auto& recipe = indices_.at(name).recipe;
  const auto& log = topics_.at(recipe.document_log);
  const auto group = groups_.find(model::fold_group(recipe.index, name));
  for (size_t p = 0; p < log.size(); ++p) {
    if (log[p].empty()) continue;
    if (group == groups_.end()) return false;
    const auto& offset = group->second.at(recipe.document_log)[p];
    if (!offset || offset->get() != static_cast<int64_t>(log[p].size())) return false;
    for (const auto& record : log[p]) {
      if (record.hops > 0 && !record.answered) return false;
    }
  }
  return complete(name);
}

Observed FakeWorld::observe() {
  Observed observed;
  observed.resources_known = true;
  observed.resources = resources_;
  for (const auto& [name, workload] : workloads_) {
    ObservedWorkload seen{
        .name = name, .role = workload.role, .owner = workload.owner, .hash = workload.hash};
    const bool away = broken_.contains(Fault::kWorkers) && workload.role == Role::kWorker;
    for (int32_t i = 0; i < workload.replicas; ++i) {
      seen.processes.push_back(
          {.name = name, .state = away ? ProcessState::kBackoff : ProcessState::kReady});
    }
    if (workload.role == Role::kCapture) {
      for (const auto& [table, state] : tables_) seen.snapshot_complete[table] = state.captured;
    }
    if (halted_.contains(name)) seen.halts[halted_.at(name)] = "too many dead letters";
    observed.workloads.push_back(std::move(seen));
  }
  std::map<ObjectKey, const model::SearchIndex*> wanted;
  for (const auto& [key, notes] : notes_) {
    wanted[key] = notes.declared ? &*notes.declared : nullptr;
  }
  for (const auto& index : resources_.indices) wanted[object_key(index.metadata)] = &index;
  for (const auto& [key, index] : wanted) {
    ObservedIndex& seen = observed.indices[key];
    if (notes_.contains(key)) seen.notes = notes_.at(key);
    if (broken_.contains(Fault::kEngine)) seen.engine_fault = "away";
    if (broken_.contains(Fault::kKafka)) seen.kafka_fault = "away";
    if (!broken_.empty() && (seen.engine_fault || seen.kafka_fault)) continue;
    for (const auto& [name, one] : indices_) {
      if (object_key(one.recipe.index.metadata) != key) continue;
      seen.generations.push_back({.index = name,
                                  .generation = one.recipe.generation,
                                  .document_log = one.recipe.document_log,
                                  .recipe = one.recipe,
                                  .replicas = one.replicas,
                                  .refresh_interval = one.refresh_interval});
    }
    if (index != nullptr && aliases_.contains(index->spec.index_name)) {
      seen.alias = {aliases_.at(index->spec.index_name)};
    }
    observe_kafka(key, seen);
  }
  return observed;
}

// In the order that the planner is promised, with work going on in between.
void FakeWorld::observe_kafka(const ObjectKey& key, ObservedIndex& index) {
  std::string prefix = "searchsync." + key + ".";
  std::ranges::replace(prefix, '/', '.');
  const auto read_topics = [&](bool internal) {
    for (const auto& [name, partitions] : topics_) {
      if (name.starts_with(prefix) != internal) continue;
      ObservedTopic& topic = index.topics[name];
      topic = {.begin = Offsets(partitions.size(), Offset(0)), .end = {}};
      for (const auto& records : partitions) {
        topic.end.push_back(Offset(static_cast<int64_t>(records.size())));
      }
    }
  };
  const auto read_groups = [&](std::string_view kind) {
    for (const auto& [name, offsets] : groups_) {
      const bool any = std::ranges::any_of(offsets, [](const auto& entry) {
        return std::ranges::any_of(entry.second, [](const auto& o) { return o.has_value(); });
      });
      if (any && name.starts_with(prefix + std::string(kind))) index.groups[name] = offsets;
    }
  };
  work(below(4));
  read_topics(false);
  work(below(4));
  read_groups("route-");
  work(below(4));
  read_groups("fold-");
  work(below(4));
  read_topics(true);
}

FakeWorld::Outcome FakeWorld::execute(const Step& step) {
  const bool notes = !changes_world(step.action);
  if (!notes && !broken_.empty()) {
    if (broken_.contains(Fault::kEngine) || broken_.contains(Fault::kKafka)) {
      return Outcome::kFailed;
    }
  }
  std::visit([&](const auto& action) { apply(step.owner, action); }, step.action);
  return Outcome::kDone;
}

void FakeWorld::execute_badly(const Step& step) {
  if (const auto* lead = std::get_if<SendLead>(&step.action)) {
    send_lead(step.owner, *lead, static_cast<size_t>(below(lead->partitions + 1)));
  } else if (const auto* begin = std::get_if<SendBegin>(&step.action)) {
    send_begin(step.owner, *begin, static_cast<size_t>(below(begin->partitions + 1)));
  } else if (below(2) == 0) {
    (void)execute(step);
  }
}

void FakeWorld::send_lead(const ObjectKey& owner, const SendLead& lead, size_t partitions) {
  auto& note = notes_[owner].leads[lead.document_log];
  note = {.generation = lead.generation, .offsets = {}, .draining = lead.draining};
  auto& log = topics_.at(lead.document_log);
  Offsets offsets;
  for (size_t p = 0; p < partitions; ++p) {
    offsets.push_back(Offset(static_cast<int64_t>(log[p].size())));
    log[p].push_back({.lead = lead.generation});
  }
  if (partitions == log.size() && below(5) != 0) note.offsets = std::move(offsets);
}

void FakeWorld::send_begin(const ObjectKey& owner, const SendBegin& begin, size_t partitions) {
  auto& log = topics_.at(begin.document_log);
  Offsets offsets;
  for (size_t p = 0; p < partitions; ++p) {
    offsets.push_back(Offset(static_cast<int64_t>(log[p].size())));
    log[p].push_back({.begin = begin.generation});
  }
  const auto note = notes_[owner].generations.find(begin.index);
  if (note == notes_[owner].generations.end() || !note->second.gate) return;
  if (partitions == log.size() && below(5) != 0) note->second.gate->begin = std::move(offsets);
}

void FakeWorld::apply(const ObjectKey& owner, const UpdateNotes& action) {
  notes_[owner] = action.notes;
}
void FakeWorld::apply(const ObjectKey& owner, const ForgetNotes&) {
  notes_.erase(owner);
}
void FakeWorld::apply(const ObjectKey&, const CreateTopic& action) {
  topics_.try_emplace(action.topic, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey&, const DeleteTopic& action) {
  topics_.erase(action.topic);
  for (auto& [group, offsets] : groups_) offsets.erase(action.topic);
}
void FakeWorld::apply(const ObjectKey&, const DeleteGroup& action) {
  groups_.erase(action.group);
}
void FakeWorld::apply(const ObjectKey&, const CreateIndex& action) {
  const auto& spec = action.recipe.index.spec;
  indices_.try_emplace(action.recipe.generation_index,
                       Index{action.recipe, spec.replicas, kNeverRefreshed});
}
void FakeWorld::apply(const ObjectKey&, const UpdateSettings& action) {
  auto& index = indices_.at(action.index);
  index.replicas = action.replicas;
  index.refresh_interval = action.refresh_interval;
}
void FakeWorld::apply(const ObjectKey& owner, const SendLead& action) {
  send_lead(owner, action, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey& owner, const SendBegin& action) {
  send_begin(owner, action, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey&, const SwapAlias& action) {
  const auto at = aliases_.find(action.alias);
  const auto from = at == aliases_.end() ? std::nullopt : std::optional(at->second);
  if (from == action.to) return;
  if (from != action.from) return violate("the alias moves from where it is not");
  if (!indices_.contains(action.to)) return violate("the alias moves to no index");
  if (indices_.at(action.to).refresh_interval == kNeverRefreshed) {
    return violate(fmt::format("the alias moves to {}, which is not refreshed", action.to.get()));
  }
  if (!complete(action.to)) {
    return violate(fmt::format("the alias moves to {}, which is not complete", action.to.get()));
  }
  aliases_[action.alias] = action.to;
}
void FakeWorld::apply(const ObjectKey&, const DeleteIndex& action) {
  for (const auto& [alias, index] : aliases_) {
    const bool declared = std::ranges::any_of(
        resources_.indices,
        [&](const model::SearchIndex& one) { return one.spec.index_name == alias; });
    if (index == action.index && declared) violate("the index under the alias is deleted");
  }
  std::erase_if(aliases_, [&](const auto& entry) { return entry.second == action.index; });
  indices_.erase(action.index);
}
void FakeWorld::apply(const ObjectKey&, const EnsureWorkload& action) {
  const Workload& workload = action.workload;
  workloads_[workload.name] = workload;
  Running& running = running_[workload.name] = {};
  if (workload.role == Role::kCapture) {
    auto config = model::parse_capture_config(workload.config);
    if (!config) return violate("capture's config cannot be read: " + config.error().message);
    running.capture = std::move(*config);
    return;
  }
  auto config = model::parse_pipeline_config(workload.config);
  if (!config) return violate("a worker's config cannot be read: " + config.error().message);
  running.route_group = model::route_group(config->index, config->bindings);
  running.fold_group = model::fold_group(config->index, config->generation_index);
  running.rounds = gate_rounds(config->bindings);
  running.pipeline = std::move(*config);
}
void FakeWorld::apply(const ObjectKey&, const RemoveWorkload& action) {
  workloads_.erase(action.name);
  running_.erase(action.name);
  halted_.erase(action.name);
}

}  // namespace searchsync::plan
