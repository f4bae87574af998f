#pragma once

// What the operator says of the two resources, in their status: the shape of it. What each field
// means is said in status_schema.cc, which the custom resource definitions and the reference page
// are made from.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::model {

enum class ConditionStatus { kFalse, kTrue, kUnknown };

// As the Kubernetes API conventions have it.
struct Condition {
  std::string type;  // "Ready"; one of each type
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;  // CamelCase, never empty
  std::string message;
  std::chrono::sys_seconds last_transition_time{};  // of `status`
  int64_t observed_generation = 0;
  friend bool operator==(const Condition&, const Condition&) = default;
};

// What /scale reads.
struct WorkersStatus {
  int32_t replicas = 0;
  int32_t ready = 0;
  std::string selector;  // of the pods: "key=value,key=value"
  friend bool operator==(const WorkersStatus&, const WorkersStatus&) = default;
};

// Of an index with `tables`.
struct TablesStatus {
  int32_t kept = 0;
  int32_t ready = 0;    // of those
  int32_t refused = 0;  // selected, and not kept: the message says why
  friend bool operator==(const TablesStatus&, const TablesStatus&) = default;
};

struct SearchIndexStatus {
  int64_t observed_generation = 0;       // metadata.generation of the spec that this is about
  std::string phase;                     // to_string(plan::Phase)
  std::string message;                   // desired against permitted now, and why
  int32_t progress = 0;                  // percent of the way to serving what is declared
  std::optional<IndexName> serving;      // what readers read
  std::optional<Generation> generation;  // of `serving`
  std::optional<int64_t> partitions;     // of `serving`, if it is partitioned
  IndexName desired;                     // what is declared
  // None: not known.
  std::optional<int64_t> lag_records;
  std::optional<int64_t> lag_seconds;
  std::optional<int64_t> rows_per_second;
  int64_t dead_letters = 0;
  WorkersStatus workers;
  std::optional<TablesStatus> tables;
  std::vector<Condition> conditions;
  std::optional<JsonText> notes;  // an object: what the planner asks the world to remember
  friend bool operator==(const SearchIndexStatus&, const SearchIndexStatus&) = default;
};

struct SourceBindingStatus {
  int64_t observed_generation = 0;
  std::string state;  // plan::BindingStatus::state
  std::string message;
  std::optional<int64_t> lag_records;  // None: not known
  int64_t dead_letters = 0;
  std::vector<Condition> conditions;
  friend bool operator==(const SourceBindingStatus&, const SourceBindingStatus&) = default;
};

// The `status` object alone, compact JSON. Messages are cut to kStatusMessageBytesMax: the API
// server would refuse longer ones. Bytes that are no UTF-8 are replaced.
std::string to_json(const SearchIndexStatus& status);
std::string to_json(const SourceBindingStatus& status);

inline constexpr size_t kStatusMessageBytesMax = 4096;

// Reads a `status` object that some version of the operator wrote. What this version does not know,
// or cannot read, is as if it were not there: a status is never a reason to stop.
// Errors: kMalformed: not JSON, or no object.
Result<SearchIndexStatus> parse_search_index_status(std::string_view json);
Result<SourceBindingStatus> parse_source_binding_status(std::string_view json);

}  // namespace searchsync::model
