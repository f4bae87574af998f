#include "operator/cluster/capture_reconciler.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/log.h"
#include "operator/cluster/names.h"
#include "operator/plan/workloads.h"

namespace searchsync::cluster {

bool CaptureReconciler::note(const plan::ObjectKey& index,
                             std::span<const model::PipelineConfig> all, plan::Hold hold) {
  std::vector<model::PipelineConfig> readers;
  for (const auto& reader : all) {
    if (auto part = plan::for_captures(reader)) readers.push_back(std::move(*part));
  }
  const std::lock_guard lock(mutex_);
  auto [place, added] = readings_.try_emplace(index);
  Reading& known = place->second;
  if (hold == plan::Hold::kYes) {
    // What it read before it may need still.
    const bool news = added || known.hold == plan::Hold::kNo || known.readers != readers;
    known.hold = hold;
    if (added || known.readers.empty()) known.readers = std::move(readers);
    return news;
  }
  if (!added && known.hold == hold && known.readers == readers) return false;
  known = {std::move(readers), hold};
  return true;
}

void CaptureReconciler::forget(const plan::ObjectKey& index) {
  const std::lock_guard lock(mutex_);
  readings_.erase(index);
}

CaptureReconciler::Needs CaptureReconciler::needs(const std::string& namespace_) {
  Needs all;
  const std::lock_guard lock(mutex_);
  for (const auto& key : parts_.store.indices()) {
    if (parse_key(key).namespace_ != namespace_) continue;
    const auto index = parts_.store.index(key);
    if (index != nullptr && index->resource && !index->meta.deleted_at) {
      all.declared.indices.push_back(*index->resource);
      for (const auto& binding : parts_.store.bindings(key)) {
        if (binding->resource) all.declared.bindings.push_back(*binding->resource);
      }
    }
    const auto known = readings_.find(key);
    if (known == readings_.end() || known->second.hold == plan::Hold::kYes) {
      all.hold = plan::Hold::kYes;
    }
    if (known == readings_.end()) continue;
    const bool database = index != nullptr && index->resource && index->resource->spec.tables;
    if (database && known->second.hold == plan::Hold::kNo) all.databases.insert(key);
    plan::Captures captures;
    for (const auto& reader : known->second.readers) {
      captures.add(reader.index, reader.bindings);
      all.readers.push_back(reader);
    }
    for (auto& workload : captures.workloads({})) {
      all.secrets.merge(workload.secrets);
      auto& owners = all.owners[workload.name];
      if (const auto owner = owner_of(index.get())) owners.insert(*owner);
    }
  }
  return all;
}

std::optional<Owner> CaptureReconciler::owner_of(const DeclaredIndex* index) const {
  if (index == nullptr || index->meta.deleted_at) return std::nullopt;
  const auto& meta = index->meta;
  if (index->owner.empty()) return Owner{meta.key.name, meta.uid};
  const auto database = parts_.store.index(meta.key.namespace_ + "/" + index->owner);
  const bool stays =
      database != nullptr && !database->meta.deleted_at && meta.owners.contains(database->meta.uid);
  if (!stays) return std::nullopt;
  return Owner{database->meta.key.name, database->meta.uid};
}

bool CaptureReconciler::run(const std::string& namespace_) {
  auto needed = needs(namespace_);
  auto hashes = parts_.secrets.hashes(namespace_, needed.secrets);
  if (!hashes) {
    log::error("captures of {}: {}", namespace_, hashes.error().message);
    return false;
  }
  plan::Observed observed;
  observed.resources_known = true;
  observed.resources = std::move(needed.declared);
  for (const auto& database : needed.databases) observed.tables[database].known = true;
  observed.workloads = parts_.workloads.observe(namespace_, "");
  for (const auto& [name, config_map] : parts_.store.captures(namespace_)) {
    observed.captures.insert(name);
  }
  observed.secret_hashes = std::move(*hashes);
  auto plan = plan::plan_captures(observed, needed.readers, needed.hold);
  for (const auto& workload : plan.workloads) {
    const auto object = parts_.store.workload({namespace_, object_name(workload)});
    std::set<std::string> wanted;
    for (const auto& owner : needed.owners[workload.name]) wanted.insert(owner.uid);
    const bool planned = std::ranges::any_of(plan.steps, [&](const auto& step) {
      const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action);
      return ensure != nullptr && ensure->workload.name == workload.name;
    });
    if (!planned && object && object->meta.owners != wanted && needed.hold == plan::Hold::kNo) {
      plan.steps.push_back({"", plan::EnsureWorkload{workload}, "other indices need it", ""});
    }
  }
  bool all = true;
  for (const auto& step : plan.steps) {
    const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action);
    std::vector<Owner> owners;
    if (ensure != nullptr) {
      std::ranges::copy(needed.owners[ensure->workload.name], std::back_inserter(owners));
    }
    if (ensure != nullptr && owners.empty()) continue;  // its indices are being deleted
    all = execute(step, namespace_, owners) && all;
  }
  return all;
}

bool CaptureReconciler::execute(const plan::Step& step, const std::string& namespace_,
                                std::span<const Owner> owners) {
  if (!parts_.may_act(namespace_)) return false;
  const auto what = plan::describe(step.action);
  const auto known = failure(namespace_, what);
  if (known.empty()) log::info("captures of {}: {}: {}", namespace_, what, step.reason);
  Result<void> done;
  if (const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action)) {
    done = parts_.workloads.ensure(ensure->workload, owners);
  } else if (const auto* remove = std::get_if<plan::RemoveWorkload>(&step.action)) {
    done = parts_.workloads.remove(
        {.name = remove->name, .namespace_ = namespace_, .role = plan::Role::kCapture});
  } else if (const auto* drop = std::get_if<plan::DropSlot>(&step.action)) {
    done = drop_slot(*drop, namespace_);
  }
  const auto message = done ? "" : done.error().message;
  if (!message.empty() && message != known) {
    log::error("captures of {}: could not {}: {}", namespace_, what, message);
  }
  set_failure(namespace_, what, message);
  return done.has_value();
}

std::string CaptureReconciler::failure(const std::string& namespace_, const std::string& step) {
  const std::lock_guard lock(mutex_);
  const auto known = failures_.find({namespace_, step});
  return known == failures_.end() ? "" : known->second;
}

void CaptureReconciler::set_failure(const std::string& namespace_, const std::string& step,
                                    const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (message.empty()) {
    failures_.erase({namespace_, step});
  } else {
    failures_[{namespace_, step}] = message;
  }
}

Result<void> CaptureReconciler::drop_slot(const plan::DropSlot& action,
                                          const std::string& namespace_) {
  const auto known = parts_.store.captures(namespace_);
  const auto config_map = known.find(action.capture);
  if (config_map == known.end()) return {};
  auto done = parts_.workloads.drop_slot(config_map->second.key,
                                         NamespaceSecrets(parts_.secrets, namespace_));
  if (!done) {
    parts_.recorder.record(
        config_map_type(), config_map->second, EventType::kWarning, "SlotNotDropped", "DropSlot",
        fmt::format("{}; to give the slot up, delete this ConfigMap", done.error().message));
  }
  return done;
}

}  // namespace searchsync::cluster
