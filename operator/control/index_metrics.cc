#include "operator/control/index_metrics.h"

namespace searchsync::control {
namespace {

constexpr const char* kCondition = "searchsync_index_condition";
constexpr const char* kGeneration = "searchsync_index_generation";
constexpr const char* kLag = "searchsync_index_lag_records";
constexpr const char* kPartitions = "searchsync_index_partitions";

}  // namespace

void IndexMetrics::set(const plan::IndexStatus& status) {
  const metrics::Labels index = {{"index", status.index}};
  for (const auto& condition : status.conditions) {
    {
      const std::lock_guard lock(mutex_);
      conditions_.insert(condition.type);
    }
    registry_
        .gauge(kCondition, "1 if the condition is true.",
               {{"index", status.index}, {"condition", condition.type}})
        .set(condition.status == plan::ConditionStatus::kTrue ? 1 : 0);
  }
  registry_.gauge(kGeneration, "Of the index under the alias; 0: none.", index)
      .set(status.generation ? status.generation->get() : 0);
  if (status.lag_records) {
    registry_.gauge(kLag, "Records not yet in the index.", index)
        .set(static_cast<double>(*status.lag_records));
  }
  if (status.partitions) {
    registry_.gauge(kPartitions, "Of the index under the alias, if it is partitioned.", index)
        .set(static_cast<double>(*status.partitions));
  }
}

void IndexMetrics::forget(const plan::ObjectKey& index) {
  const std::lock_guard lock(mutex_);
  for (const auto& condition : conditions_) {
    registry_.remove_gauge(kCondition, {{"index", index}, {"condition", condition}});
  }
  for (const auto* name : {kGeneration, kLag, kPartitions})
    registry_.remove_gauge(name, {{"index", index}});
}

}  // namespace searchsync::control
