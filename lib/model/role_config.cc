#include "lib/model/role_config.h"

#include <cctype>

#include "lib/base/hash.h"
#include "lib/model/basic_types.h"
#include "lib/model/resource_schema.h"
#include "lib/model/schema_builder.h"

namespace searchsync::model {
namespace {

struct RoleTypes {
  Typed<PipelineConfig> pipeline;
  Typed<DatabaseConfig> database;
  Typed<CaptureConfig> capture;
  Typed<IngestConfig> ingest;
  Typed<AggregateConfig> aggregate;
};

Typed<IngestConfig> build_ingest_config(Schema& schema, const ResourceTypes& resources,
                                        Typed<std::string> text) {
  const auto binding =
      ObjectBuilder<IngestedBinding>(schema, "IngestedBinding", "What is taken for one binding.")
          .field("name", &IngestedBinding::name, text, "Of the binding.", required())
          .field("key", &IngestedBinding::key,
                 list_type(schema, string_type(schema, {1, 256}), {1, 16}), "Of its rows.",
                 required())
          .field("source", &IngestedBinding::source, resources.http_source, "Of its events.",
                 required())
          .build();
  return ObjectBuilder<IngestConfig>(schema, "IngestConfig", "What an ingest process runs.")
      .field("name", &IngestConfig::name, text, "Of the index.", required())
      .field("namespace", &IngestConfig::namespace_, text, "Of the resources.")
      .field("kafka", &IngestConfig::kafka, resources.kafka, "Where the topics are.", required())
      .field("ingest", &IngestConfig::ingest, resources.ingest, "How it serves.")
      .field("bindings", &IngestConfig::bindings,
             list_type(schema, binding, {1, 1000}, {.unique = Unique::kKey, .key = "name"}),
             "What is taken.", required())
      .build();
}

Typed<AggregateConfig> build_aggregate_config(Schema& schema, const ResourceTypes& resources,
                                              Typed<std::string> text) {
  using T = AggregateConfig;
  return ObjectBuilder<T>(schema, "AggregateConfig", "What an aggregate process runs.")
      .field("name", &T::name, text, "Of the index.", required())
      .field("namespace", &T::namespace_, text, "Of the resources.")
      .field("kafka", &T::kafka, resources.kafka, "Where the topics are.", required())
      .field("aggregates", &T::aggregates, resources.aggregates, "How it works.")
      .field("bindings", &T::bindings, list_type(schema, resources.source_binding, {1, 1000}),
             "Whose events are aggregated.", required())
      .build();
}

Typed<CaptureConfig> build_capture_config(Schema& schema, const ResourceTypes& resources,
                                          Typed<std::string> text) {
  const auto table =
      ObjectBuilder<CapturedTable>(schema, "CapturedTable", "A table and where its changes go.")
          .field("table", &CapturedTable::table, text, "As schema.table.", required())
          .field("topic", &CapturedTable::topic, text, "A topic.", required())
          .field("revision", &CapturedTable::revision, string_type(schema, {1, 63}),
                 "Of what was altered.",
                 {.default_says = "none", .written = Written::kIfNotDefault})
          .build();
  const auto database = ObjectBuilder<SecretRef>(schema, "Database", "The database.")
                            .self("secretRef", resources.secret_ref, "How to reach it.")
                            .build();
  return ObjectBuilder<CaptureConfig>(schema, "CaptureConfig", "What a capture process runs.")
      .field("name", &CaptureConfig::name, text, "Of the slot and publication.", required())
      .field("namespace", &CaptureConfig::namespace_, text, "Of the resources.")
      .field("database", &CaptureConfig::database, database, "The database.", required())
      .field("kafka", &CaptureConfig::kafka, resources.kafka, "Where the topics are.", required())
      .field("tables", &CaptureConfig::tables,
             list_type(schema, table, {1, 10'000}, {.unique = Unique::kKey, .key = "table"}),
             "What is read.", required())
      .build();
}

RoleTypes build_role_types(Schema& schema) {
  const ResourceTypes& resources = resource_types();
  const auto text = string_type(schema, {1, 255});
  const auto related =
      ObjectBuilder<RelatedIndex>(schema, "RelatedIndex", "An index that a relation leads to.")
          .field("name", &RelatedIndex::name, text, "Of the SearchIndex.", required())
          .field("indexName", &RelatedIndex::index_name, text, "The alias.", required())
          .field("mappings", &RelatedIndex::mappings, json_object_type(schema), "Its mappings.",
                 required())
          .field("filterable", &RelatedIndex::filterable,
                 list_type(schema, string_type(schema, {1, 256}), {0, 1000}), "Empty: all.")
          .field("keysSecretRef", &RelatedIndex::keys_secret_ref, resources.secret_ref,
                 "Of its API keys.")
          .build();
  const auto pipeline =
      ObjectBuilder<PipelineConfig>(schema, "PipelineConfig",
                                    "What a worker or query process runs.")
          .field("index", &PipelineConfig::index, resources.search_index, "The index.", required())
          .field("bindings", &PipelineConfig::bindings,
                 list_type(schema, resources.source_binding, {1, 1000}), "Its bindings.",
                 required())
          .field("generation", &PipelineConfig::generation,
                 named_type<Generation>(schema, integer_type<int32_t>(schema, {1, (1 << 15) - 1})),
                 "The generation it builds or serves.", required())
          .field("generationIndex", &PipelineConfig::generation_index,
                 named_type<IndexName>(schema, text), "The concrete index.", required())
          .field("documentLog", &PipelineConfig::document_log, text, "A topic.", required())
          .field("renewed", &PipelineConfig::renewed, boolean_type(schema),
                 "Whether the index was made of another recipe.",
                 {.default_says = "false", .written = Written::kIfNotDefault})
          .field("logRetention", &PipelineConfig::log_retention,
                 duration_type<std::chrono::seconds>(schema, {kHour, 3650 * kDay}),
                 "How long the log keeps rows after their period. Without it: for ever.")
          .field("related", &PipelineConfig::related, list_type(schema, related, {0, 256}),
                 "What relations lead to.")
          .build();
  const auto served =
      ObjectBuilder<ServedTable>(schema, "ServedTable", "A table that is answered for.")
          .field("name", &ServedTable::name, text, "In paths.", required())
          .field("pipeline", &ServedTable::pipeline, pipeline, "Its index.", required())
          .build();
  const auto tables =
      ObjectBuilder<DatabaseConfig>(schema, "DatabaseConfig",
                                    "What a query process for all tables of a database runs.")
          .field("index", &DatabaseConfig::index, resources.search_index, "That has `tables`.",
                 required())
          .field("tables", &DatabaseConfig::tables,
                 list_type(schema, served, {1, 10'000}, {.unique = Unique::kKey, .key = "name"}),
                 "What is answered for.", required())
          .build();
  return {.pipeline = pipeline,
          .database = tables,
          .capture = build_capture_config(schema, resources, text),
          .ingest = build_ingest_config(schema, resources, text),
          .aggregate = build_aggregate_config(schema, resources, text)};
}

const RoleTypes& role_types() {
  static Schema schema;
  static const RoleTypes types = build_role_types(schema);
  return types;
}

}  // namespace

std::string slot_name(const CaptureConfig& config) {
  constexpr size_t kLongest = 63;  // PostgreSQL's own bound
  const bool in_default = config.namespace_ == "default";
  std::string name = "searchsync_";
  for (const char c : in_default ? config.name : config.namespace_ + "_" + config.name) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  if (in_default && name.size() <= kLongest && !config.name.contains('.')) return name;
  const auto hash = stable_hash_hex(config.namespace_ + "/" + config.name, 8);
  return name.substr(0, kLongest - 1 - hash.size()) + "_" + hash;
}

Result<PipelineConfig> parse_pipeline_config(std::string_view json) {
  return parse_json_as(role_types().pipeline, json);
}

Result<std::variant<PipelineConfig, DatabaseConfig>> parse_query_config(std::string_view json) {
  ASSIGN_OR_RETURN(const Node node, parse_json(json));
  if (node.find("tables") == nullptr) return parse_pipeline_config(json);
  return parse_json_as(role_types().database, json);
}

Result<CaptureConfig> parse_capture_config(std::string_view json) {
  return parse_json_as(role_types().capture, json);
}

Result<IngestConfig> parse_ingest_config(std::string_view json) {
  return parse_json_as(role_types().ingest, json);
}

Result<AggregateConfig> parse_aggregate_config(std::string_view json) {
  ASSIGN_OR_RETURN(auto config, parse_json_as(role_types().aggregate, json));
  for (const SourceBinding& binding : config.bindings) {
    if (binding.spec.aggregate) continue;
    return fail(ErrorCode::kInvalidArgument,
                "bindings: " + binding.metadata.name + " has no aggregate");
  }
  return config;
}

std::string to_json(const PipelineConfig& config) {
  return to_json(write(role_types().pipeline, config));
}

std::string to_json(const DatabaseConfig& config) {
  return to_json(write(role_types().database, config));
}

std::string to_json(const CaptureConfig& config) {
  return to_json(write(role_types().capture, config));
}

std::string to_json(const IngestConfig& config) {
  return to_json(write(role_types().ingest, config));
}

std::string to_json(const AggregateConfig& config) {
  return to_json(write(role_types().aggregate, config));
}

}  // namespace searchsync::model
