#include "operator/plan/workloads.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "lib/base/hash.h"
#include "lib/model/pipeline.h"

namespace searchsync::plan {
namespace {

template <class Reference>
void add_name(std::set<std::string>& names, const std::optional<Reference>& reference) {
  if (reference) names.insert(reference->name);
}

std::set<std::string> secrets_of(const model::KafkaSpec& kafka) {
  std::set<std::string> names;
  add_name(names, kafka.credentials_secret_ref);
  add_name(names, kafka.ca_secret_ref);
  return names;
}

std::set<std::string> secrets_of(const model::SearchIndexSpec& spec) {
  auto names = secrets_of(spec.kafka);
  add_name(names, spec.elasticsearch.credentials_secret_ref);
  add_name(names, spec.elasticsearch.ca_secret_ref);
  return names;
}

// Rotated secrets and a changed number of processes need new processes, too.
Workload hashed(const Observed& observed, Workload workload, const std::set<std::string>& secrets) {
  std::string text = fmt::format("{} {} {}\n{}\n", to_string(workload.role), workload.replicas,
                                 workload.port, workload.config);
  for (const auto& secret : secrets) {
    const auto found = observed.secret_hashes.find(secret);
    if (found != observed.secret_hashes.end()) text += secret + " " + found->second + "\n";
  }
  workload.hash = stable_hash_hex(text, 16);
  return workload;
}

std::string prefixed(std::string_view role, const model::ObjectMeta& metadata,
                     std::string_view name) {
  return metadata.namespace_ == "default"
             ? fmt::format("{}-{}", role, name)
             : fmt::format("{}-{}.{}", role, metadata.namespace_, name);
}

}  // namespace

model::PipelineConfig with_current_settings(model::PipelineConfig recipe,
                                            const model::SearchIndex& declared) {
  model::SearchIndexSpec& spec = recipe.index.spec;
  const int32_t partitions = spec.workers.partitions;
  spec.elasticsearch = declared.spec.elasticsearch;
  spec.kafka = declared.spec.kafka;
  spec.replicas = declared.spec.replicas;
  spec.refresh_interval = declared.spec.refresh_interval;
  spec.reindex = declared.spec.reindex;
  spec.workers = declared.spec.workers;
  spec.workers.partitions = partitions;
  spec.query = declared.spec.query;
  spec.deletion_policy = declared.spec.deletion_policy;
  spec.suspend = declared.spec.suspend;
  return recipe;
}

std::string worker_name(const model::SearchIndex& index, const IndexName& generation_index,
                        Generation generation) {
  return prefixed("worker", index.metadata,
                  fmt::format("{}-g{}", generation_index.get(), generation.get()));
}

std::string query_name(const model::SearchIndex& index) {
  return prefixed("query", index.metadata, index.metadata.name);
}

std::string capture_name(const model::ObjectMeta& metadata, const model::SecretRef& database) {
  return prefixed("capture", metadata, database.name);
}

Workload worker_workload(const Observed& observed, const model::PipelineConfig& config) {
  return hashed(observed,
                {.name = worker_name(config.index, config.generation_index, config.generation),
                 .role = Role::kWorker,
                 .owner = object_key(config.index.metadata),
                 .replicas = config.index.spec.workers.replicas,
                 .config = model::to_json(config)},
                secrets_of(config.index.spec));
}

Workload query_workload(const Observed& observed, const model::PipelineConfig& config) {
  return hashed(observed,
                {.name = query_name(config.index),
                 .role = Role::kQuery,
                 .owner = object_key(config.index.metadata),
                 .replicas = config.index.spec.query.replicas,
                 .config = model::to_json(config),
                 .port = config.index.spec.query.port},
                secrets_of(config.index.spec));
}

void Captures::add(const model::SearchIndex& index,
                   std::span<const model::SourceBinding> bindings) {
  for (const auto& binding : bindings) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (postgres == nullptr) continue;
    const auto name = capture_name(index.metadata, postgres->secret_ref);
    auto [place, added] = captures_.try_emplace(name);
    model::CaptureConfig& capture = place->second;
    if (added) {
      capture.name = postgres->secret_ref.name;
      capture.namespace_ = index.metadata.namespace_;
      capture.database = postgres->secret_ref;
      capture.kafka = index.spec.kafka;
    } else if (capture.kafka != index.spec.kafka) {
      conflicts_[object_key(binding.metadata)] = fmt::format(
          "database {} is captured into another Kafka already: give this index the "
          "same spec.kafka",
          postgres->secret_ref.name);
      continue;
    }
    const model::CapturedTable table{postgres->table, model::source_topic(*postgres)};
    if (std::ranges::find(capture.tables, table) == capture.tables.end()) {
      capture.tables.push_back(table);
    }
  }
}

std::vector<Workload> Captures::workloads(const Observed& observed) const {
  std::vector<Workload> all;
  for (const auto& [name, capture] : captures_) {
    auto config = capture;
    std::ranges::sort(config.tables, {}, [](const auto& t) { return std::tie(t.table, t.topic); });
    auto secrets = secrets_of(config.kafka);
    secrets.insert(config.database.name);
    all.push_back(hashed(observed,
                         {.name = name, .role = Role::kCapture, .config = model::to_json(config)},
                         secrets));
  }
  return all;
}

}  // namespace searchsync::plan
