#include "operator/plan/workloads.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "lib/base/hash.h"
#include "lib/model/pipeline.h"
#include "operator/plan/partitions.h"

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

std::set<std::string> query_secrets_of(const model::SearchIndexSpec& spec) {
  auto names = secrets_of(spec);
  add_name(names, spec.query.keys_secret_ref);
  if (spec.query.commands) names.insert(spec.query.commands->secret_ref.name);
  return names;
}

// Rotated secrets need new processes, too; a changed number of them does not.
Workload hashed(const Observed& observed, Workload workload) {
  std::string text =
      fmt::format("{} {} {}\n{}\n", to_string(workload.role), workload.port,
                  workload.resources ? workload.resources->text : "", workload.config);
  if (workload.storage) {
    text += fmt::format("storage {} {}\n", workload.storage->size,
                        workload.storage->storage_class_name.value_or(""));
  }
  for (const auto& secret : workload.secrets) {
    const auto found = observed.secret_hashes.find(secret);
    if (found != observed.secret_hashes.end()) text += secret + " " + found->second + "\n";
  }
  workload.hash = stable_hash_hex(text, 16);
  return workload;
}

// What is not in the table's name.
void leave_names_only(model::AggregateSpec& aggregate) {
  const model::AggregateSpec none;
  aggregate.interval = none.interval;
  aggregate.history = none.history;
  if (aggregate.dedupe) aggregate.dedupe->ids_max = model::DedupeSpec{}.ids_max;
}

// Without all that the processes of a role do not read: they need not start anew when it changes.
model::PipelineConfig reduced(Role role, model::PipelineConfig config) {
  const model::SearchIndexSpec none;
  auto& spec = config.index.spec;
  spec.replicas = none.replicas;
  spec.refresh_interval = none.refresh_interval;
  spec.reindex = none.reindex;
  spec.deletion_policy = none.deletion_policy;
  spec.drift = none.drift;
  spec.adoption = none.adoption;
  spec.suspend = none.suspend;
  spec.workers.replicas = none.workers.replicas;
  spec.workers.autoscaling.reset();
  spec.workers.storage.reset();
  spec.workers.resources.reset();
  spec.query.replicas = none.query.replicas;
  spec.query.resources.reset();
  spec.ingest = none.ingest;
  spec.aggregates = none.aggregates;
  if (spec.partitioning) spec.partitioning->on_mapping_change = {};
  config.renewed = false;
  for (auto& binding : config.bindings) {
    if (auto& aggregate = binding.spec.aggregate) leave_names_only(*aggregate);
    auto* http = std::get_if<model::HttpSource>(&binding.spec.source);
    if (http == nullptr) continue;
    http->tokens_secret_ref.reset();
    http->limits = {};
  }
  if (role == Role::kWorker) spec.query = none.query;
  if (role == Role::kQuery) {
    spec.workers.session_timeout = none.workers.session_timeout;
    spec.workers.bulk = none.workers.bulk;
  }
  return config;
}

std::string config_for(Role role, model::PipelineConfig config) {
  return model::to_json(reduced(role, std::move(config)));
}

}  // namespace

std::vector<model::RelatedIndex> related_to(const Observed& observed,
                                            const model::SearchIndex& index) {
  std::vector<model::RelatedIndex> related;
  for (const model::RelationSpec& relation : index.spec.query.relations) {
    const model::ObjectMeta metadata{relation.index, index.metadata.namespace_};
    const auto& all = observed.resources.indices;
    const auto other = std::ranges::find(all, metadata, &model::SearchIndex::metadata);
    if (other == all.end() || other->spec.elasticsearch != index.spec.elasticsearch) continue;
    if (std::ranges::find(related, relation.index, &model::RelatedIndex::name) != related.end()) {
      continue;
    }
    related.push_back({.name = relation.index,
                       .index_name = other->spec.index_name,
                       .mappings = other->spec.mappings,
                       .filterable = other->spec.query.filterable,
                       .keys_secret_ref = other->spec.query.keys_secret_ref});
  }
  return related;
}

namespace {

std::string prefixed(std::string_view role, const model::ObjectMeta& metadata,
                     std::string_view name) {
  return metadata.namespace_ == "default"
             ? fmt::format("{}-{}", role, name)
             : fmt::format("{}-{}.{}", role, metadata.namespace_, name);
}

// What was declared last; generations that were built before it was know an older one, or none.
std::string declared_revision(const model::Resources& resources,
                              const model::CaptureConfig& capture, const std::string& table) {
  for (const auto& binding : resources.bindings) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (postgres != nullptr && binding.metadata.namespace_ == capture.namespace_ &&
        postgres->secret_ref == capture.database && postgres->table == table &&
        !postgres->revision.empty()) {
      return postgres->revision;
    }
  }
  return "";
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
  spec.ingest = declared.spec.ingest;
  spec.aggregates = declared.spec.aggregates;
  spec.deletion_policy = declared.spec.deletion_policy;
  spec.drift = declared.spec.drift;
  spec.adoption = declared.spec.adoption;
  spec.suspend = declared.spec.suspend;
  limit_retention(declared.spec.partitioning, spec.partitioning);
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

std::string ingest_name(const model::SearchIndex& index) {
  return prefixed("ingest", index.metadata, index.metadata.name);
}

std::string aggregate_name(const model::SearchIndex& index) {
  return prefixed("aggregate", index.metadata, index.metadata.name);
}

std::string capture_name(const model::ObjectMeta& metadata, const model::SecretRef& database) {
  return prefixed("capture", metadata, database.name);
}

std::string why_no_secret(const Observed& observed, const std::string& namespace_,
                          const std::set<std::string>& names) {
  for (const auto& name : names) {
    const auto hash = observed.secret_hashes.find(name);
    if (hash != observed.secret_hashes.end() && hash->second.empty()) {
      return fmt::format("there is no secret {}/{}", namespace_, name);
    }
  }
  return "";
}

std::string why_not_ready(const ObservedWorkload& workload) {
  if (workload.processes.empty()) return fmt::format("no process of {} runs", workload.name);
  const auto found = std::ranges::find_if(workload.processes, [](const auto& process) {
    return process.state != ProcessState::kReady;
  });
  if (found == workload.processes.end()) return "";
  return fmt::format("{} is {}{}{}", found->name, to_string(found->state),
                     found->message.empty() ? "" : ": ", found->message);
}

std::string why_not_captured(const Observed& observed, const model::ObjectMeta& metadata,
                             const model::PostgresSource& source) {
  auto reason = why_no_secret(observed, metadata.namespace_, {source.secret_ref.name});
  const auto* capture = observed.workload(capture_name(metadata, source.secret_ref));
  if (reason.empty() && capture != nullptr) reason = why_not_ready(*capture);
  return reason;
}

Workload worker_workload(const Observed& observed, const model::PipelineConfig& config) {
  const auto& index = config.index;
  return hashed(observed, {.name = worker_name(index, config.generation_index, config.generation),
                           .namespace_ = index.metadata.namespace_,
                           .role = Role::kWorker,
                           .owner = object_key(index.metadata),
                           .replicas = index.spec.workers.replicas,
                           .config = config_for(Role::kWorker, config),
                           .secrets = secrets_of(index.spec),
                           .resources = index.spec.workers.resources,
                           .storage = index.spec.workers.storage});
}

Workload query_workload(const Observed& observed, const model::PipelineConfig& shared) {
  auto config = shared;
  config.related = related_to(observed, config.index);
  const auto& index = config.index;
  return hashed(observed, {.name = query_name(index),
                           .namespace_ = index.metadata.namespace_,
                           .role = Role::kQuery,
                           .owner = object_key(index.metadata),
                           .replicas = index.spec.query.replicas,
                           .config = config_for(Role::kQuery, config),
                           .port = index.spec.query.port,
                           .secrets = query_secrets_of(index.spec),
                           .resources = index.spec.query.resources});
}

Workload database_query_workload(const Observed& observed, const model::SearchIndex& index,
                                 std::span<const model::ServedTable> tables) {
  model::DatabaseConfig config{.index = reduced(Role::kQuery, {.index = index}).index,
                               .tables = {}};
  for (const auto& table : tables) {
    auto pipeline = table.pipeline;
    pipeline.related = related_to(observed, pipeline.index);
    config.tables.push_back({table.name, reduced(Role::kQuery, std::move(pipeline))});
  }
  return hashed(observed, {.name = query_name(index),
                           .namespace_ = index.metadata.namespace_,
                           .role = Role::kQuery,
                           .owner = object_key(index.metadata),
                           .replicas = index.spec.query.replicas,
                           .config = model::to_json(config),
                           .port = index.spec.query.port,
                           .secrets = query_secrets_of(index.spec),
                           .resources = index.spec.query.resources});
}

std::optional<Workload> ingest_workload(const Observed& observed, const model::SearchIndex& index,
                                        std::span<const model::SourceBinding> bindings) {
  const model::IngestSpec& spec = index.spec.ingest;
  model::IngestConfig config{.name = index.metadata.name,
                             .namespace_ = index.metadata.namespace_,
                             .kafka = index.spec.kafka,
                             .ingest = {.connections = spec.connections,
                                        .deadline = spec.deadline,
                                        .tls_secret_ref = spec.tls_secret_ref},
                             .bindings = {}};
  auto secrets = secrets_of(index.spec.kafka);
  add_name(secrets, spec.tls_secret_ref);
  for (const auto& binding : bindings) {
    const auto* http = std::get_if<model::HttpSource>(&binding.spec.source);
    if (http == nullptr) continue;
    config.bindings.push_back({binding.metadata.name, binding.spec.key, *http});
    add_name(secrets, http->tokens_secret_ref);
  }
  if (config.bindings.empty()) return std::nullopt;
  return hashed(observed, {.name = ingest_name(index),
                           .namespace_ = index.metadata.namespace_,
                           .role = Role::kIngest,
                           .owner = object_key(index.metadata),
                           .replicas = spec.replicas,
                           .config = model::to_json(config),
                           .port = spec.port,
                           .scheme = spec.tls_secret_ref ? Scheme::kHttps : Scheme::kHttp,
                           .secrets = std::move(secrets),
                           .resources = spec.resources});
}

std::optional<model::PipelineConfig> for_captures(const model::PipelineConfig& reader) {
  model::PipelineConfig part;
  for (const auto& binding : reader.bindings) {
    if (!std::holds_alternative<model::PostgresSource>(binding.spec.source)) continue;
    auto& kept = part.bindings.emplace_back();
    kept.metadata = binding.metadata;
    kept.spec.source = binding.spec.source;
  }
  if (part.bindings.empty()) return std::nullopt;
  part.index.metadata = reader.index.metadata;
  part.index.spec.kafka = reader.index.spec.kafka;
  return part;
}

std::optional<Workload> aggregate_workload(const Observed& observed,
                                           const model::SearchIndex& index,
                                           std::vector<model::SourceBinding> bindings) {
  if (bindings.empty()) return std::nullopt;
  const model::AggregatesSpec& spec = index.spec.aggregates;
  for (auto& binding : bindings) {
    // How the rows become documents does not matter here, nor how events are taken.
    binding.spec.relation = model::RootRelation{};
    binding.spec.fields.clear();
    binding.spec.aggregate->history = {};
    if (auto* http = std::get_if<model::HttpSource>(&binding.spec.source)) {
      http->tokens_secret_ref.reset();
      http->limits = {};
    }
  }
  const model::AggregateConfig config{
      .name = index.metadata.name,
      .namespace_ = index.metadata.namespace_,
      .kafka = index.spec.kafka,
      .aggregates = {.memory_bytes = spec.memory_bytes, .session_timeout = spec.session_timeout},
      .bindings = std::move(bindings)};
  return hashed(observed, {.name = aggregate_name(index),
                           .namespace_ = index.metadata.namespace_,
                           .role = Role::kAggregate,
                           .owner = object_key(index.metadata),
                           .replicas = spec.replicas,
                           .config = model::to_json(config),
                           .secrets = secrets_of(index.spec.kafka),
                           .resources = spec.resources,
                           .storage = spec.storage});
}

void Captures::add(const model::SearchIndex& index,
                   std::span<const model::SourceBinding> bindings) {
  for (const auto& binding : bindings) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (postgres == nullptr || postgres->tables) continue;  // those tables have their own
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
    const model::CapturedTable table{postgres->table, model::source_topic(*postgres), ""};
    if (std::ranges::find(capture.tables, table) == capture.tables.end()) {
      capture.tables.push_back(table);
    }
  }
}

std::set<std::string> Captures::names() const {
  std::set<std::string> all;
  for (const auto& [name, capture] : captures_) all.insert(name);
  return all;
}

std::vector<Workload> Captures::workloads(const Observed& observed) const {
  std::vector<Workload> all;
  for (const auto& [name, capture] : captures_) {
    auto config = capture;
    for (auto& table : config.tables) {
      table.revision = declared_revision(observed.resources, config, table.table);
    }
    std::ranges::sort(config.tables, {}, [](const auto& t) { return std::tie(t.table, t.topic); });
    auto secrets = secrets_of(config.kafka);
    secrets.insert(config.database.name);
    all.push_back(hashed(observed, {.name = name,
                                    .namespace_ = config.namespace_,
                                    .role = Role::kCapture,
                                    .config = model::to_json(config),
                                    .secrets = std::move(secrets)}));
  }
  return all;
}

}  // namespace searchsync::plan
