#include "operator/plan/observed.h"

#include <algorithm>

namespace searchsync::plan {

ObjectKey object_key(const model::ObjectMeta& metadata) {
  return metadata.namespace_ + "/" + metadata.name;
}

std::vector<model::SourceBinding> bindings_of(const model::Resources& resources,
                                              const model::SearchIndex& index) {
  std::vector<model::SourceBinding> bindings;
  for (const auto& binding : resources.bindings) {
    if (binding.spec.index_ref == index.metadata.name &&
        binding.metadata.namespace_ == index.metadata.namespace_) {
      bindings.push_back(binding);
    }
  }
  return bindings;
}

const ObjectKey* Observed::database_of(const ObjectKey& index) const {
  for (const auto& [key, all] : tables) {
    if (std::ranges::find(all.kept, index, &ObservedTable::index) != all.kept.end()) return &key;
  }
  return nullptr;
}

Committed ObservedIndex::committed(const std::string& group, const std::string& topic) const {
  const auto found = groups.find(group);
  if (found == groups.end()) return {};
  const auto offsets = found->second.find(topic);
  return offsets == found->second.end() ? Committed{} : offsets->second;
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kCapture:
      return "capture";
    case Role::kWorker:
      return "worker";
    case Role::kQuery:
      return "query";
    case Role::kIngest:
      return "ingest";
    case Role::kAggregate:
      return "aggregate";
  }
  return "";
}

std::string_view to_string(ProcessState state) {
  switch (state) {
    case ProcessState::kStarting:
      return "Starting";
    case ProcessState::kRunning:
      return "Running";
    case ProcessState::kReady:
      return "Ready";
    case ProcessState::kBackoff:
      return "Backoff";
  }
  return "";
}

bool ObservedWorkload::ready() const {
  return !processes.empty() && std::ranges::all_of(processes, [](const ObservedProcess& process) {
    return process.state == ProcessState::kReady;
  });
}

bool ObservedWorkload::any_ready() const {
  return std::ranges::any_of(processes, [](const ObservedProcess& process) {
    return process.state == ProcessState::kReady;
  });
}

const ObservedWorkload* Observed::workload(std::string_view name) const {
  const auto found = std::ranges::find(workloads, name, &ObservedWorkload::name);
  return found == workloads.end() ? nullptr : &*found;
}

}  // namespace searchsync::plan
