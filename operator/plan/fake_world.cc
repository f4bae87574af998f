#include "operator/plan/fake_world.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/elastic/mixable.h"
#include "lib/model/fold_rounds.h"
#include "lib/model/pipeline.h"
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

bool FakeWorld::complete(const IndexName& name) const {
  const auto& recipe = indices_.at(name).recipe;
  const auto log = topics_.find(recipe.document_log);
  if (log == topics_.end()) return false;
  const auto route = groups_.find(model::route_group(recipe.index, recipe.bindings));
  for (const auto& binding : recipe.bindings) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    auto initial = postgres == nullptr ? 0 : tables_.at(postgres->table).initial;
    if (binding.spec.aggregate) {
      if (!counted(binding)) return false;
      initial = std::ranges::count_if(topics_.at(model::row_topic(binding))[0],
                                      [](const Record& record) { return record.initial; });
    }
    if (initial == 0) continue;
    if (route == groups_.end()) return false;
    const auto routed = route->second.find(model::row_topic(binding));
    if (routed == route->second.end() || !routed->second[0] || routed->second[0]->get() < initial) {
      return false;
    }
  }
  const auto group = groups_.find(model::fold_group(recipe.index, name));
  for (size_t p = 0; p < log->second.size(); ++p) {
    int64_t folded = 0;
    if (group != groups_.end() && group->second.contains(recipe.document_log)) {
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

bool FakeWorld::shows_older(const ObjectKey& owner, const IndexName& from, const IndexName& to) {
  const auto& notes = notes_[owner].generations;
  const auto note = notes.find(from);
  if (!indices_.contains(from) || note == notes.end() || !note->second.complete) return false;
  const auto& one = indices_.at(from).recipe;
  const auto& other = indices_.at(to).recipe;
  if (one.document_log != other.document_log || !topics_.contains(one.document_log)) return false;
  const auto& shown = committed(model::fold_group(one.index, from), one.document_log);
  const auto& written = committed(model::fold_group(other.index, to), one.document_log);
  for (size_t p = 0; p < shown.size(); ++p) {
    if (written[p].value_or(Offset(0)) < shown[p].value_or(Offset(0))) return true;
  }
  return false;
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

void FakeWorld::point_alias(const std::string& alias, std::vector<IndexName> to) {
  std::ranges::sort(to);
  for (const auto& name : to) {
    if (indices_.contains(name)) indices_.at(name).refreshed = true;  // as far as readers go
  }
  if (to.empty()) {
    aliases_.erase(alias);
  } else {
    aliases_[alias] = {.to = std::move(to)};
  }
}

IndexName FakeWorld::alias(const std::string& name) const {
  const auto found = aliases_.find(name);
  const bool whole =
      found != aliases_.end() && found->second.to.size() == 1 && !found->second.narrowed;
  return whole ? found->second.to.front() : IndexName();
}

Observed FakeWorld::observe() {
  Observed observed;
  observed.resources_known = true;
  observed.resources = resources_;
  observed.captures = slots_;
  for (const auto& [name, workload] : workloads_) {
    ObservedWorkload seen{.name = name,
                          .role = workload.role,
                          .owner = workload.owner,
                          .hash = workload.hash,
                          .replicas = workload.replicas};
    const bool away = broken_.contains(Fault::kWorkers) && workload.role == Role::kWorker;
    for (int32_t i = 0; i < workload.replicas; ++i) {
      seen.processes.push_back(
          {.name = name, .state = away ? ProcessState::kBackoff : ProcessState::kReady});
    }
    if (workload.role == Role::kCapture) {
      for (const auto& [table, state] : tables_) seen.snapshot_complete[table] = state.captured;
    }
    if (halted_.contains(name)) seen.halts[halted_.at(name)] = "too many dead letters";
    if (workload.role == Role::kIngest) seen.serves = "127.0.0.1:8080";
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
    if (refused_ > 0) seen.dead_letters[""] = refused_;
    if (broken_.contains(Fault::kEngine)) seen.engine_fault = "away";
    if (broken_.contains(Fault::kKafka)) seen.kafka_fault = "away";
    if (!broken_.empty() && (seen.engine_fault || seen.kafka_fault)) continue;
    for (const auto& other : resources_.indices) {
      const auto its_key = object_key(other.metadata);
      if (index == nullptr || its_key == key || other.spec.index_name != index->spec.index_name) {
        continue;
      }
      seen.claims[its_key] = its_key < key ? Claim::kBefore : Claim::kAfter;
    }
    for (const auto& [name, one] : indices_) {
      observe_index(key, name, one, seen);
    }
    for (const auto& name : foreign_) seen.foreign[name] = "";
    for (const auto& [name, all] : strays_) seen.strays[name].assign(all.begin(), all.end());
    if (index != nullptr && aliases_.contains(index->spec.index_name)) {
      const auto& alias = aliases_.at(index->spec.index_name);
      seen.alias = alias.to;
      seen.readers_astray = std::ranges::any_of(seen.generations, [&](const auto& one) {
        return std::ranges::count(alias.to, one.index) == 0 &&
               std::ranges::any_of(one.partitions, [](const auto& p) { return p.read; });
      });
      for (auto& one : seen.generations) {
        one.narrowed = alias.narrowed && std::ranges::count(alias.to, one.index) > 0;
      }
    }
    if (index != nullptr) {
      for (const auto& check : index->spec.reindex.checks) seen.check_hits[check.name] = hits_;
    }
    observe_kafka(key, seen);
  }
  return observed;
}

// In the order that the planner is promised, with work going on in between.
void FakeWorld::observe_kafka(const ObjectKey& key, ObservedIndex& index) {
  std::string prefix = "searchsync." + key + ".";
  std::ranges::replace(prefix, '/', '.');
  enum class Kind { kSources, kTables, kOwn };
  const auto kind_of = [&](const std::string& name) {
    if (!name.starts_with(prefix)) return Kind::kSources;
    return name.starts_with(prefix + "table-") ? Kind::kTables : Kind::kOwn;
  };
  const auto read_topics = [&](Kind kind) {
    for (const auto& [name, partitions] : topics_) {
      if (kind_of(name) != kind) continue;
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
  read_topics(Kind::kSources);
  const bool counts = std::ranges::any_of(
      topics_, [&](const auto& topic) { return kind_of(topic.first) == Kind::kTables; });
  if (counts) work(below(4));
  read_groups("table-");
  if (counts) work(below(4));
  read_topics(Kind::kTables);
  work(below(4));
  read_groups("route-");
  work(below(4));
  read_groups("fold-");
  work(below(4));
  read_topics(Kind::kOwn);
}

FakeWorld::Outcome FakeWorld::execute(const Step& step) {
  if (step_.count() > 0) pass(std::chrono::milliseconds(below(static_cast<int>(step_.count()))));
  if (const auto* swap = std::get_if<SwapAlias>(&step.action)) {
    if (swap->before && now_ >= *swap->before) return Outcome::kFailed;
  }
  const bool notes = !changes_world(step.action);
  if (!notes && !broken_.empty()) {
    if (broken_.contains(Fault::kEngine) || broken_.contains(Fault::kKafka)) {
      return Outcome::kFailed;
    }
  }
  const auto* group = std::get_if<DeleteGroup>(&step.action);
  if (group != nullptr && has_members(group->group)) return Outcome::kFailed;
  std::visit([&](const auto& action) { apply(step.owner, action); }, step.action);
  return Outcome::kDone;
}

bool FakeWorld::has_members(const std::string& group) const {
  return std::ranges::any_of(running_, [&](const auto& entry) {
    const auto& [name, running] = entry;
    const auto& workload = workloads_.at(name);
    return workload.role == Role::kWorker && workload.replicas > 0 &&
           (running.route_group == group || running.fold_group == group);
  });
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

Offsets FakeWorld::append(const std::string& log, size_t partitions, const Record& record) {
  auto& all = topics_.at(log);
  Offsets offsets;
  for (size_t p = 0; p < partitions; ++p) {
    offsets.push_back(Offset(static_cast<int64_t>(all[p].size())));
    all[p].push_back(record);
  }
  return offsets;
}

void FakeWorld::send_lead(const ObjectKey& owner, const SendLead& lead, size_t partitions) {
  auto& note = notes_[owner].leads[lead.document_log];
  note = {
      .generation = lead.generation, .offsets = {}, .draining = lead.draining, .sent_at = lead.now};
  auto offsets = append(lead.document_log, partitions, {.lead = lead.generation});
  const bool whole = partitions == topics_.at(lead.document_log).size();
  if (whole && below(5) != 0) note.offsets = std::move(offsets);
}

void FakeWorld::send_begin(const ObjectKey& owner, const SendBegin& begin, size_t partitions) {
  auto offsets = append(begin.document_log, partitions, {.begin = begin.generation});
  const auto note = notes_[owner].generations.find(begin.index);
  if (note == notes_[owner].generations.end() || !note->second.gate) return;
  const bool whole = partitions == topics_.at(begin.document_log).size();
  if (whole && below(5) != 0) note->second.gate->begin = std::move(offsets);
}

void FakeWorld::apply(const ObjectKey& owner, const UpdateNotes& action) {
  notes_[owner] = action.notes;
}
void FakeWorld::apply(const ObjectKey& owner, const ForgetNotes&) {
  notes_.erase(owner);
}
void FakeWorld::apply(const ObjectKey&, const CreateTopic& action) {
  if (groups_.contains(model::aggregate_group(action.topic))) {
    violate("a table begins anew, and its events do not");
  }
  topics_.try_emplace(action.topic, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey&, const DeleteTopic& action) {
  if (writes(action.topic)) violate("a table is deleted while it is written");
  topics_.erase(action.topic);
  for (auto& [group, offsets] : groups_) offsets.erase(action.topic);
}
void FakeWorld::apply(const ObjectKey&, const DeleteGroup& action) {
  groups_.erase(action.group);
}
void FakeWorld::apply(const ObjectKey& owner, const SendLead& action) {
  send_lead(owner, action, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey& owner, const SendBegin& action) {
  send_begin(owner, action, static_cast<size_t>(action.partitions));
}
void FakeWorld::apply(const ObjectKey&, const EnsureWorkload& action) {
  const Workload& workload = action.workload;
  workloads_[workload.name] = workload;
  Running& running = running_[workload.name] = {};
  if (workload.role == Role::kCapture) {
    slots_.insert(workload.name);
    auto config = model::parse_capture_config(workload.config);
    if (!config) return violate("capture's config cannot be read: " + config.error().message);
    running.capture = std::move(*config);
    return;
  }
  if (workload.role == Role::kIngest) {
    auto config = model::parse_ingest_config(workload.config);
    if (!config) return violate("ingest's config cannot be read: " + config.error().message);
    running.ingest = std::move(*config);
    return;
  }
  if (workload.role == Role::kAggregate) {
    auto config = model::parse_aggregate_config(workload.config);
    if (!config) return violate("aggregate's config cannot be read: " + config.error().message);
    for (const auto& binding : config->bindings) {
      const auto table = model::row_topic(binding);
      running.counts.push_back(
          {model::source_topic(binding.spec.source), table, model::aggregate_group(table)});
    }
    return;
  }
  auto config = model::parse_pipeline_config(workload.config);
  if (!config) return violate("a worker's config cannot be read: " + config.error().message);
  const auto index = indices_.find(config->generation_index);
  if (workload.role == Role::kWorker && index != indices_.end() &&
      !elastic::new_fields(index->second.mappings, config->index.spec.mappings.text)
           .missing.empty()) {
    return violate("a worker runs with fields that its index does not have");
  }
  running.route_group = model::route_group(config->index, config->bindings);
  running.fold_group = model::fold_group(config->index, config->generation_index);
  running.rounds = model::fold_rounds(config->bindings);
  running.pipeline = std::move(*config);
}
void FakeWorld::apply(const ObjectKey&, const RemoveWorkload& action) {
  workloads_.erase(action.name);
  running_.erase(action.name);
  halted_.erase(action.name);
}
void FakeWorld::apply(const ObjectKey&, const DropSlot& action) {
  if (workloads_.contains(action.capture)) violate("the slot of a capture that runs is dropped");
  slots_.erase(action.capture);
}

}  // namespace searchsync::plan
