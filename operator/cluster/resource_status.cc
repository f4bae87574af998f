#include "operator/cluster/resource_status.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

model::ConditionStatus to_model(plan::ConditionStatus status) {
  switch (status) {
    case plan::ConditionStatus::kFalse:
      return model::ConditionStatus::kFalse;
    case plan::ConditionStatus::kTrue:
      return model::ConditionStatus::kTrue;
    case plan::ConditionStatus::kUnknown:
      return model::ConditionStatus::kUnknown;
  }
  return model::ConditionStatus::kUnknown;
}

model::Condition to_model(const plan::Condition& condition,
                          const std::vector<model::Condition>& former, int64_t generation,
                          std::chrono::sys_seconds now) {
  model::Condition result{.type = condition.type,
                          .status = to_model(condition.status),
                          .reason = condition.reason,
                          .message = condition.message,
                          .last_transition_time = now,
                          .observed_generation = generation};
  const auto known = std::ranges::find(former, condition.type, &model::Condition::type);
  if (known != former.end() && known->status == result.status) {
    result.last_transition_time = known->last_transition_time;
  }
  return result;
}

std::optional<int64_t> rounded(const std::optional<double>& value) {
  if (!value) return std::nullopt;
  return std::llround(*value);
}

}  // namespace

model::SearchIndexStatus to_status(const plan::IndexStatus& status,
                                   const std::vector<plan::ObservedWorkload>& workloads,
                                   const model::SearchIndexStatus& former, int64_t generation,
                                   std::chrono::sys_seconds now) {
  model::SearchIndexStatus result{
      .observed_generation = generation,
      .phase = std::string(to_string(status.phase)),
      .message = status.message,
      .progress = static_cast<int32_t>(status.progress * 100),
      .serving = status.alias,
      .generation = status.generation,
      .partitions = status.partitions,
      .desired = status.desired,
      .lag_records = status.lag_records,
      .lag_seconds = rounded(status.lag_seconds),
      .rows_per_second = rounded(status.rows_per_second),
      .dead_letters = status.dead_letters,
      .workers = {.selector = fmt::format("{}={},{}={}", kIndexLabel, parse_key(status.index).name,
                                          kRoleLabel, to_string(plan::Role::kWorker))},
      .tables = status.tables,
      .conditions = {},
      .notes = former.notes};
  // Those of the index that is served; before there is one, of the one that has most. Others are
  // built beside it, or kept warm.
  const auto serving = status.alias && status.generation
                           ? fmt::format("{}-g{}", status.alias->get(), status.generation->get())
                           : "";
  for (const auto& workload : workloads) {
    if (workload.owner != status.index || workload.role != plan::Role::kWorker) continue;
    if (!workload.name.ends_with(serving)) continue;
    const auto ready = static_cast<int32_t>(std::ranges::count(
        workload.processes, plan::ProcessState::kReady, &plan::ObservedProcess::state));
    if (workload.replicas > result.workers.replicas) {
      result.workers.selector = fmt::format(
          "{}={}", kWorkloadLabel,
          object_name({.name = workload.name, .namespace_ = parse_key(status.index).namespace_}));
    }
    result.workers.replicas = std::max(result.workers.replicas, workload.replicas);
    result.workers.ready = std::max(result.workers.ready, ready);
  }
  for (const auto& condition : status.conditions) {
    result.conditions.push_back(to_model(condition, former.conditions, generation, now));
  }
  return result;
}

model::SourceBindingStatus to_status(const plan::BindingStatus& status,
                                     const model::SourceBindingStatus& former, int64_t generation,
                                     std::chrono::sys_seconds now) {
  model::SourceBindingStatus result{.observed_generation = generation,
                                    .state = status.state,
                                    .message = status.message,
                                    .lag_records = status.lag_records,
                                    .dead_letters = status.dead_letters,
                                    .conditions = {}};
  const bool running = status.state == "Running";
  const bool unknown = status.state == "Unknown";
  const plan::Condition ready{.type = "Ready",
                              .status = running   ? plan::ConditionStatus::kTrue
                                        : unknown ? plan::ConditionStatus::kUnknown
                                                  : plan::ConditionStatus::kFalse,
                              .reason = status.state,
                              .message = running ? "its rows are read" : status.message};
  const bool halted = status.state == "Halted" || status.state == "Invalid";
  const plan::Condition stalled{
      .type = "Stalled",
      .status = halted ? plan::ConditionStatus::kTrue : plan::ConditionStatus::kFalse,
      .reason = halted ? status.state : "Progressing",
      .message = halted ? status.message : ""};
  for (const auto* condition : {&ready, &stalled}) {
    result.conditions.push_back(to_model(*condition, former.conditions, generation, now));
  }
  return result;
}

plan::ConditionStatus from_model(model::ConditionStatus status) {
  switch (status) {
    case model::ConditionStatus::kFalse:
      return plan::ConditionStatus::kFalse;
    case model::ConditionStatus::kTrue:
      return plan::ConditionStatus::kTrue;
    case model::ConditionStatus::kUnknown:
      return plan::ConditionStatus::kUnknown;
  }
  return plan::ConditionStatus::kUnknown;
}

plan::IndexStatus unplanned(const plan::ObjectKey& key, plan::Phase phase, std::string reason,
                            std::string message) {
  const bool stalled = phase == plan::Phase::kStalled;
  using enum plan::ConditionStatus;
  plan::IndexStatus status;
  status.index = key;
  status.phase = phase;
  status.message = message;
  status.conditions = {{.type = "Ready", .status = kFalse, .reason = reason, .message = message},
                       {.type = "Reconciling",
                        .status = stalled ? kFalse : kTrue,
                        .reason = stalled ? "Stalled" : reason,
                        .message = stalled ? "" : message},
                       {.type = "Stalled",
                        .status = stalled ? kTrue : kFalse,
                        .reason = stalled ? reason : "Progressing",
                        .message = stalled ? message : ""}};
  return status;
}

bool only_numbers_differ(const model::SearchIndexStatus& a, const model::SearchIndexStatus& b) {
  auto same = a;
  same.lag_records = b.lag_records;
  same.lag_seconds = b.lag_seconds;
  same.rows_per_second = b.rows_per_second;
  same.dead_letters = b.dead_letters;
  same.progress = b.progress;
  same.partitions = b.partitions;
  if (a.phase == b.phase) {
    same.message = b.message;
    for (auto& condition : same.conditions) {
      const auto other = std::ranges::find(b.conditions, condition.type, &model::Condition::type);
      if (other != b.conditions.end()) condition.message = other->message;
    }
  }
  return same == b;
}

bool only_numbers_differ(const model::SourceBindingStatus& a, const model::SourceBindingStatus& b) {
  auto same = a;
  same.lag_records = b.lag_records;
  same.dead_letters = b.dead_letters;
  return same == b;
}

}  // namespace searchsync::cluster
