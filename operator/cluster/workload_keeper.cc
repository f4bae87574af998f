#include "operator/cluster/workload_keeper.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <thread>

#include "lib/base/log.h"
#include "lib/model/role_config.h"
#include "operator/cluster/names.h"
#include "operator/control/drop_slot.h"

namespace searchsync::cluster {
namespace {

// How long remove() waits for pods before it says that they are still there.
constexpr std::chrono::seconds kEndingMax{5};
constexpr std::chrono::milliseconds kEndingPoll{100};

}  // namespace

WorkloadKeeper::WorkloadKeeper(Store& store, kube::Client& client, control::Scraper& scraper,
                               PodOptions options)
    : store_(store), client_(client), scraper_(scraper), options_(std::move(options)) {
  for (const auto role : {plan::Role::kCapture, plan::Role::kWorker, plan::Role::kQuery,
                          plan::Role::kIngest, plan::Role::kAggregate}) {
    for (const auto& manifest : manifests({.name = "any", .role = role}, {}, {})) {
      types_[role].push_back(manifest.type);
    }
  }
}

bool WorkloadKeeper::is_as_made(const WorkloadObject& object) const {
  return object.options_hash == options_.hash() &&
         std::ranges::all_of(types_.at(object.role), [&](const auto& type) {
           return store_.is_as_made(type, object.meta.key);
         });
}

std::vector<plan::ObservedWorkload> WorkloadKeeper::observe(const std::string& namespace_,
                                                            const plan::ObjectKey& owner) {
  std::vector<plan::ObservedWorkload> all;
  for (const auto& object : store_.workloads(namespace_, owner)) {
    if (!object.meta.deleted_at) all.push_back(observe(object));
  }
  std::ranges::sort(all, {}, &plan::ObservedWorkload::name);
  return all;
}

plan::ObservedWorkload WorkloadKeeper::observe(const WorkloadObject& object) {
  plan::ObservedWorkload seen;
  seen.name = object.name;
  seen.role = object.role;
  seen.owner = object.owner;
  // Made with other options, or changed by others, it is not what the plan wants, whatever that is.
  if (is_as_made(object)) seen.hash = object.hash;
  seen.replicas = object.replicas;
  if (object.role == plan::Role::kIngest) {
    seen.serves = fmt::format("{}.{}.svc", object.meta.key.name, object.meta.key.namespace_);
  }
  double rows = 0;
  for (const auto& pod : store_.pods(object.meta.key.namespace_, object.meta.key.name)) {
    if (pod.meta.deleted_at) continue;
    plan::ObservedProcess process{.name = pod.meta.key.name,
                                  .pid = 0,
                                  .address = "",
                                  .state = plan::ProcessState::kStarting,
                                  .message = pod.message};
    if (pod.running && !pod.address.empty()) {
      process.address = fmt::format("{}:{}", pod.address, kPort);
      scraper_.ask(process.address, process, seen, rows);
    }
    if (process.state != plan::ProcessState::kReady && !pod.message.empty()) {
      process.state = plan::ProcessState::kBackoff;
      process.message = pod.message;
    }
    seen.processes.push_back(std::move(process));
  }
  if (object.role == plan::Role::kWorker) seen.rows_per_second = scraper_.rate(object.name, rows);
  return seen;
}

Result<void> WorkloadKeeper::ensure(const plan::Workload& workload, std::span<const Owner> owners) {
  for (const auto& manifest : manifests(workload, owners, options_)) {
    RETURN_IF_ERROR(apply(manifest));
  }
  return {};
}

Result<void> WorkloadKeeper::apply(const Manifest& manifest) {
  const kube::ApplyOptions options{.field_manager = std::string(kFieldManager)};
  auto applied = client_.apply(manifest.type, manifest.key, manifest.json, options);
  if (!applied && applied.error().reason == kube::ApiReason::kInvalid &&
      manifest.type == stateful_set_type()) {
    // The volumes of a StatefulSet cannot be changed: it is made anew around its pods.
    log::info("{}: made anew: {}", to_string(manifest.key), applied.error().message);
    RETURN_IF_ERROR(
        client_.remove(manifest.type, manifest.key, {.propagation = kube::Propagation::kOrphan}));
    applied = client_.apply(manifest.type, manifest.key, manifest.json, options);
  }
  if (!applied) return std::unexpected(applied.error());
  store_.put_made(manifest.type, *applied);
  return {};
}

Result<void> WorkloadKeeper::remove(const plan::Workload& workload) {
  const kube::ObjectKey key{workload.namespace_, object_name(workload)};
  // The pods first, then what they needed.
  const auto all = manifests(workload, {}, options_);
  for (const auto& manifest : std::views::reverse(all)) {
    if (workload.role == plan::Role::kCapture && manifest.type == config_map_type()) continue;
    const auto removed = client_.remove(manifest.type, key);
    if (!removed && removed.error().reason != kube::ApiReason::kNotFound) {
      return std::unexpected(removed.error());
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + kEndingMax;
  while (!store_.pods(key.namespace_, key.name).empty()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::kUnavailable, fmt::format("pods of {} are still ending", key.name));
    }
    std::this_thread::sleep_for(kEndingPoll);
  }
  return {};
}

Result<void> WorkloadKeeper::drop_slot(const kube::ObjectKey& config_map,
                                       const model::SecretStore& secrets) {
  if (!store_.pods(config_map.namespace_, config_map.name).empty()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("pods of {} are still ending", config_map.name));
  }
  const auto object = client_.get(config_map_type(), config_map);
  if (!object && object.error().reason == kube::ApiReason::kNotFound) return {};
  if (!object) return std::unexpected(object.error());
  ASSIGN_OR_RETURN(const auto config, model::parse_capture_config(read_config(*object)));
  RETURN_IF_ERROR(control::drop_slot(config, secrets));
  const auto removed = client_.remove(config_map_type(), config_map);
  if (!removed && removed.error().reason != kube::ApiReason::kNotFound) {
    return std::unexpected(removed.error());
  }
  return {};
}

}  // namespace searchsync::cluster
