#pragma once

#include <optional>
#include <set>
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

// Why a workload is ensured whose hash is not known.
inline constexpr const char* kNotAsMade = "it is not as this operator made it";

std::string worker_name(const model::SearchIndex& index, const IndexName& generation_index,
                        Generation generation);
std::string query_name(const model::SearchIndex& index);
std::string ingest_name(const model::SearchIndex& index);
std::string aggregate_name(const model::SearchIndex& index);
std::string capture_name(const model::ObjectMeta& metadata, const model::SecretRef& database);

// The first of the secrets that is not there; empty: all are, as far as is known.
std::string why_no_secret(const Observed& observed, const std::string& namespace_,
                          const std::set<std::string>& names);

// Its first process that is not ready, and why; empty: all are.
std::string why_not_ready(const ObservedWorkload& workload);

// Why the capture of a table is not at work, as far as is known; empty: it is.
std::string why_not_captured(const Observed& observed, const model::ObjectMeta& metadata,
                             const model::PostgresSource& source);

// What relations of the index lead to: not what is at another engine.
std::vector<model::RelatedIndex> related_to(const Observed& observed,
                                            const model::SearchIndex& index);

Workload worker_workload(const Observed& observed, const model::PipelineConfig& config);
// Also knows those that are related_to() it.
Workload query_workload(const Observed& observed, const model::PipelineConfig& config);
// Of all tables of a database together.
Workload database_query_workload(const Observed& observed, const model::SearchIndex& index,
                                 std::span<const model::ServedTable> tables);
// Nothing if none of the bindings has an HTTP source.
std::optional<Workload> ingest_workload(const Observed& observed, const model::SearchIndex& index,
                                        std::span<const model::SourceBinding> bindings);

// Of a reader what Captures reads; nothing: it reads no database.
std::optional<model::PipelineConfig> for_captures(const model::PipelineConfig& reader);

// Of bindings with `aggregate`; nothing if there is none.
std::optional<Workload> aggregate_workload(const Observed& observed,
                                           const model::SearchIndex& index,
                                           std::vector<model::SourceBinding> bindings);

// Collects the tables that any generation of any index reads: one process a database.
class Captures {
 public:
  // The first to name a database decides on the Kafka it is captured into.
  void add(const model::SearchIndex& index, std::span<const model::SourceBinding> bindings);

  std::set<std::string> names() const;  // of the workloads
  // In order of name.
  std::vector<Workload> workloads(const Observed& observed) const;

  // The bindings whose database another index has captured into another Kafka: they cannot work.
  const std::map<std::string, std::string>& conflicts() const { return conflicts_; }

 private:
  std::map<std::string, model::CaptureConfig> captures_;  // by name
  std::map<std::string, std::string> conflicts_;          // "<namespace>/<binding>": why
};

}  // namespace searchsync::plan
