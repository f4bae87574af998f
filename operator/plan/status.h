#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/status.h"
#include "operator/plan/observed.h"

namespace searchsync::plan {

// Where an index is on its way to what is declared.
enum class Phase {
  kUnknown,           // engine or Kafka cannot be reached: nothing is changed
  kPending,           // something that it needs is not there yet
  kSnapshotting,      // capture reads the tables
  kBuilding,          // a generation folds up to its gate
  kCatchingUp,        // its lag has to stay low for a while
  kAwaitingApproval,  // it could be served
  kChecking,          // it is complete, but does not answer the checks as it must
  kCuttingOver,
  kServing,
  kSuspended,
  kStalled,  // a person must act
  kDeleting,
};

std::string_view to_string(Phase phase);

enum class ConditionStatus { kFalse, kTrue, kUnknown };

std::string_view to_string(ConditionStatus status);

struct Condition {
  std::string type;  // Ready, Available, Reconciling, Stalled, Drifted
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;  // CamelCase
  std::string message;
  friend bool operator==(const Condition&, const Condition&) = default;
};

using model::TablesStatus;

struct IndexStatus {
  ObjectKey index;
  Phase phase = Phase::kUnknown;
  std::optional<IndexName> alias;        // what readers read
  std::optional<Generation> generation;  // of that
  std::optional<int64_t> partitions;     // of that; nothing: it is not partitioned
  IndexName desired;                     // the generation that is declared
  // Of what readers read; before there is such, of what is built
  std::optional<int64_t> lag_records;
  std::optional<double> lag_seconds;
  std::optional<double> rows_per_second;
  int64_t dead_letters = 0;
  std::optional<TablesStatus> tables;
  double progress = 0;  // 0..1 of the way to serving what is declared
  std::vector<Condition> conditions;
  std::string message;  // desired against permitted now, and why
};

struct BindingStatus {
  std::string name;
  ObjectKey index;
  std::optional<int64_t> lag_records;  // not yet routed
  int64_t dead_letters = 0;
  std::string state;  // Waiting, Snapshotting, Running, Halted, Suspended, Unknown
  std::string message;
};

}  // namespace searchsync::plan
