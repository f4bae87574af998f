#pragma once

#include <mutex>
#include <set>
#include <string>

#include "lib/metrics/registry.h"
#include "operator/plan/status.h"

namespace searchsync::control {

// How each index stands, for Prometheus: searchsync_index_condition, searchsync_index_generation,
// searchsync_index_lag_records. Thread-safe.
class IndexMetrics {
 public:
  // `registry` must outlive this.
  explicit IndexMetrics(metrics::Registry& registry) : registry_(registry) {}

  void set(const plan::IndexStatus& status);
  // An index that is no more.
  void forget(const plan::ObjectKey& index);

 private:
  metrics::Registry& registry_;
  std::mutex mutex_;
  std::set<std::string> conditions_;  // types that any index has had; guarded by mutex_
};

}  // namespace searchsync::control
