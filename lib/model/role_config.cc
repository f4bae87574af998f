#include "lib/model/role_config.h"

#include "lib/model/resource_schema.h"
#include "lib/model/schema_builder.h"

namespace searchsync::model {
namespace {

struct RoleTypes {
  Typed<PipelineConfig> pipeline;
  Typed<CaptureConfig> capture;
};

RoleTypes build_role_types(Schema& schema) {
  const ResourceTypes& resources = resource_types();
  const auto text = string_type(schema, {1, 255});
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
          .build();
  const auto table =
      ObjectBuilder<CapturedTable>(schema, "CapturedTable", "A table and where its changes go.")
          .field("table", &CapturedTable::table, text, "As schema.table.", required())
          .field("topic", &CapturedTable::topic, text, "A topic.", required())
          .build();
  const auto database = ObjectBuilder<SecretRef>(schema, "Database", "The database.")
                            .self("secretRef", resources.secret_ref, "How to reach it.")
                            .build();
  const auto capture =
      ObjectBuilder<CaptureConfig>(schema, "CaptureConfig", "What a capture process runs.")
          .field("name", &CaptureConfig::name, text, "Of the slot and publication.", required())
          .field("namespace", &CaptureConfig::namespace_, text, "Of the resources.")
          .field("database", &CaptureConfig::database, database, "The database.", required())
          .field("kafka", &CaptureConfig::kafka, resources.kafka, "Where the topics are.",
                 required())
          .field("tables", &CaptureConfig::tables,
                 list_type(schema, table, {1, 10'000}, {.unique = Unique::kKey, .key = "table"}),
                 "What is read.", required())
          .build();
  return {.pipeline = pipeline, .capture = capture};
}

const RoleTypes& role_types() {
  static Schema schema;
  static const RoleTypes types = build_role_types(schema);
  return types;
}

}  // namespace

Result<PipelineConfig> parse_pipeline_config(std::string_view json) {
  return parse_json_as(role_types().pipeline, json);
}

Result<CaptureConfig> parse_capture_config(std::string_view json) {
  return parse_json_as(role_types().capture, json);
}

std::string to_json(const PipelineConfig& config) {
  return to_json(write(role_types().pipeline, config));
}

std::string to_json(const CaptureConfig& config) {
  return to_json(write(role_types().capture, config));
}

}  // namespace searchsync::model
