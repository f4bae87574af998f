#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// Of another index, what a query process that relates documents to it has to know.
struct RelatedIndex {
  std::string name;        // of the SearchIndex
  std::string index_name;  // the alias
  JsonText mappings;
  std::vector<std::string> filterable;
  std::optional<SecretRef> keys_secret_ref;
  friend bool operator==(const RelatedIndex&, const RelatedIndex&) = default;
};

// What `searchsync worker` and `searchsync query` run: one generation of one index.
struct PipelineConfig {
  SearchIndex index;
  std::vector<SourceBinding> bindings;
  Generation generation;
  IndexName generation_index;
  std::string document_log;  // a topic
  // Of an index's recipe only: it is not the first one, and what former ones had may still be in
  // the index.
  bool renewed = false;
  // Of `worker` only, of a partitioned index: the document log keeps rows for so long after their
  // period; nothing: for ever.
  std::optional<std::chrono::seconds> log_retention = {};
  // Of `query` only: those that spec.query.relations names, as far as they can be reached.
  std::vector<RelatedIndex> related;
  friend bool operator==(const PipelineConfig&, const PipelineConfig&) = default;
};

struct CapturedTable {
  std::string table;  // schema.table
  std::string topic;
  std::string revision;  // another one: it was altered, and has to be looked at anew
  friend bool operator==(const CapturedTable&, const CapturedTable&) = default;
};

// What `searchsync capture` runs: the tables of one database.
struct CaptureConfig {
  std::string name;  // see slot_name()
  std::string namespace_ = "default";
  SecretRef database;
  KafkaSpec kafka;
  std::vector<CapturedTable> tables;
  friend bool operator==(const CaptureConfig&, const CaptureConfig&) = default;
};

// A table of a database, as `searchsync query` answers for it.
struct ServedTable {
  std::string name;  // in paths
  PipelineConfig pipeline;
  friend bool operator==(const ServedTable&, const ServedTable&) = default;
};

// What `searchsync query` runs for all tables of a database, in place of a PipelineConfig.
struct DatabaseConfig {
  SearchIndex index;  // that has `tables`
  std::vector<ServedTable> tables;
  friend bool operator==(const DatabaseConfig&, const DatabaseConfig&) = default;
};

// What `searchsync ingest` takes for one binding.
struct IngestedBinding {
  std::string name;
  std::vector<std::string> key;  // columns
  HttpSource source;
  friend bool operator==(const IngestedBinding&, const IngestedBinding&) = default;
};

// What `searchsync ingest` runs: the events of one index.
struct IngestConfig {
  std::string name;  // of the SearchIndex
  std::string namespace_ = "default";
  KafkaSpec kafka;
  IngestSpec ingest;
  std::vector<IngestedBinding> bindings;  // in order of name
  friend bool operator==(const IngestConfig&, const IngestConfig&) = default;
};

// What `searchsync aggregate` runs: the tables of one index, those of all its generations.
struct AggregateConfig {
  std::string name;  // of the SearchIndex
  std::string namespace_ = "default";
  KafkaSpec kafka;
  AggregatesSpec aggregates;
  // Each has `aggregate`. Of a name there may be several, with tables of their own.
  std::vector<SourceBinding> bindings;
  friend bool operator==(const AggregateConfig&, const AggregateConfig&) = default;
};

// Of the replication slot, and of the publication: searchsync_<name>, with everything that is no
// letter or digit as an underscore. Where two captures could have the same that way, in another
// namespace than "default" or for a long name or one with dots, with a hash.
std::string slot_name(const CaptureConfig& config);

// Errors: kInvalidArgument, the message holds every fault, one a line; kMalformed: not JSON.
Result<PipelineConfig> parse_pipeline_config(std::string_view json);
// Of both: what `searchsync query` is given.
Result<std::variant<PipelineConfig, DatabaseConfig>> parse_query_config(std::string_view json);
Result<CaptureConfig> parse_capture_config(std::string_view json);
Result<IngestConfig> parse_ingest_config(std::string_view json);
Result<AggregateConfig> parse_aggregate_config(std::string_view json);

// Compact JSON. Parsing it gives an equal value.
std::string to_json(const PipelineConfig& config);
std::string to_json(const DatabaseConfig& config);
std::string to_json(const CaptureConfig& config);
std::string to_json(const IngestConfig& config);
std::string to_json(const AggregateConfig& config);

}  // namespace searchsync::model
