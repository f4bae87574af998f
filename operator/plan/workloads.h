#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/model/role_config.h"
#include "operator/plan/actions.h"
#include "operator/plan/observed.h"

namespace searchsync::plan {

// What to run a generation with that `declared` may no longer describe: the resources it was built
// from, with all that can change in place taken from `declared`.
model::PipelineConfig with_current_settings(model::PipelineConfig recipe,
                                            const model::SearchIndex& declared);

std::string worker_name(const model::SearchIndex& index, const IndexName& generation_index,
                        Generation generation);
std::string query_name(const model::SearchIndex& index);
std::string capture_name(const model::ObjectMeta& metadata, const model::SecretRef& database);

Workload worker_workload(const Observed& observed, const model::PipelineConfig& config);
Workload query_workload(const Observed& observed, const model::PipelineConfig& config);

// Collects the tables that any generation of any index reads: one process a database.
class Captures {
 public:
  // The first to name a database decides on the Kafka it is captured into.
  void add(const model::SearchIndex& index, std::span<const model::SourceBinding> bindings);

  // In order of name.
  std::vector<Workload> workloads(const Observed& observed) const;

  // The bindings whose database another index has captured into another Kafka: they cannot work.
  const std::map<std::string, std::string>& conflicts() const { return conflicts_; }

 private:
  std::map<std::string, model::CaptureConfig> captures_;  // by name
  std::map<std::string, std::string> conflicts_;          // "<namespace>/<binding>": why
};

}  // namespace searchsync::plan
