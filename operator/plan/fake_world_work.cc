// What the processes of a FakeWorld do when they are let work.

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/fake_world.h"

namespace searchsync::plan {

void FakeWorld::work(int steps) {
  if (broken_.contains(Fault::kKafka)) return;
  const auto workers = able_workers();
  for (int i = 0; i < steps; ++i) {
    capture();
    ingest();
    aggregate();
    if (workers.empty()) continue;
    const auto* worker = workers[static_cast<size_t>(below(static_cast<int>(workers.size())))];
    partition(*worker->pipeline);
    if (below(2) == 0) {
      route(*worker);
    } else {
      fold(*worker);
    }
  }
}

std::vector<const FakeWorld::Running*> FakeWorld::able_workers() const {
  std::vector<const Running*> workers;
  if (broken_.contains(Fault::kWorkers) || broken_.contains(Fault::kEngine)) return workers;
  for (const auto& [name, running] : running_) {
    const auto& workload = workloads_.at(name);
    if (!running.pipeline || workload.role != Role::kWorker || workload.replicas == 0) continue;
    const auto& config = *running.pipeline;
    if (!halted_.contains(name) && topics_.contains(config.document_log) &&
        indices_.contains(config.generation_index)) {
      workers.push_back(&running);
    }
  }
  return workers;
}

void FakeWorld::capture() {
  for (const auto& [name, running] : running_) {
    if (!running.capture) continue;
    for (const auto& [table, topic, revision] : running.capture->tables) {
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

void FakeWorld::ingest() {
  for (const auto& [name, running] : running_) {
    if (!running.ingest || !traffic_ || below(20) != 0) continue;
    for (const auto& binding : running.ingest->bindings) {
      const auto topic = topics_.find(binding.source.topic.name);
      if (topic == topics_.end()) return violate("events are taken that no topic can hold");
      topic->second[0].push_back({});
    }
  }
}

void FakeWorld::aggregate() {
  for (const auto& topic : events_) {
    if (traffic_ && below(20) == 0) topics_.at(topic)[0].push_back({});
  }
  for (const auto& [name, running] : running_) {
    if (running.counts.empty() || workloads_.at(name).replicas == 0) continue;
    for (const auto& count : running.counts) {
      const auto table = topics_.find(count.table);
      if (table == topics_.end()) return violate("events are counted, and there is no table");
      const auto& events = topics_.at(count.topic)[0];
      auto& position = committed(count.group, count.topic)[0];
      const auto next = static_cast<size_t>(position ? position->get() : 0);
      if (next >= events.size()) continue;
      table->second[0].push_back({.initial = events[next].initial});
      position = Offset(static_cast<int64_t>(next) + 1);
    }
  }
}

bool FakeWorld::writes(const std::string& table) const {
  return std::ranges::any_of(running_, [&](const auto& entry) {
    const auto& counts = entry.second.counts;
    return std::ranges::find(counts, table, &Running::Count::table) != counts.end();
  });
}

// Whether all events that were there from the beginning are in the binding's table.
bool FakeWorld::counted(const model::SourceBinding& binding) const {
  const auto is_initial = [](const Record& record) { return record.initial; };
  const auto table = topics_.find(model::row_topic(binding));
  if (table == topics_.end()) return false;
  return std::ranges::count_if(table->second[0], is_initial) ==
         std::ranges::count_if(topics_.at(model::source_topic(binding.spec.source))[0], is_initial);
}

void FakeWorld::route(const Running& running) {
  const auto& config = *running.pipeline;
  auto& log = topics_.at(config.document_log);
  for (const auto& binding : config.bindings) {
    const auto topic = model::row_topic(binding);
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
  const auto yields = yields_.find({running.fold_group, p});
  if (yields != yields_.end() && now_ < yields->second) return;
  Record& record = log[p][next];
  if (record.lead && *record.lead != config.generation) {
    yields_[{running.fold_group, p}] = now_ + model::kYield;
  }
  if (record.hops > 0 && !record.answered && leader_at(log, p, next) == config.generation) {
    record.answered = true;
    const Record answer{.hops = record.hops - 1, .initial = record.initial};
    log[static_cast<size_t>(below(static_cast<int>(log.size())))].push_back(answer);
  }
  position = Offset(static_cast<int64_t>(next) + 1);
}

}  // namespace searchsync::plan
