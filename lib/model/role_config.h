#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// What `searchsync worker` and `searchsync query` run: one generation of one index.
struct PipelineConfig {
  SearchIndex index;
  std::vector<SourceBinding> bindings;
  Generation generation;
  IndexName generation_index;
  std::string document_log;  // a topic
  friend bool operator==(const PipelineConfig&, const PipelineConfig&) = default;
};

struct CapturedTable {
  std::string table;  // schema.table
  std::string topic;
  friend bool operator==(const CapturedTable&, const CapturedTable&) = default;
};

// What `searchsync capture` runs: the tables of one database.
struct CaptureConfig {
  std::string name;  // of the slot and the publication: searchsync_<name>
  std::string namespace_ = "default";
  SecretRef database;
  KafkaSpec kafka;
  std::vector<CapturedTable> tables;
  friend bool operator==(const CaptureConfig&, const CaptureConfig&) = default;
};

// Errors: kInvalidArgument, the message holds every fault, one a line; kMalformed: not JSON.
Result<PipelineConfig> parse_pipeline_config(std::string_view json);
Result<CaptureConfig> parse_capture_config(std::string_view json);

// Compact JSON. Parsing it gives an equal value.
std::string to_json(const PipelineConfig& config);
std::string to_json(const CaptureConfig& config);

}  // namespace searchsync::model
