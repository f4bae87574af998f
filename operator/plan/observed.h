#pragma once

// What the planner sees: one immutable snapshot of the declared resources and of the world. The
// same for a folder with child processes and for a Kubernetes cluster.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"
#include "lib/model/role_config.h"
#include "operator/plan/notes.h"

namespace searchsync::plan {

// "<namespace>/<name>" of a SearchIndex.
using ObjectKey = std::string;

ObjectKey object_key(const model::ObjectMeta& metadata);

struct ObservedTopic {
  Offsets begin;  // by partition
  Offsets end;    // by partition: one past the last record
};

// What a consumer group has committed of one topic, by partition; nothing: never committed. May be
// shorter than the topic has partitions.
using Committed = std::vector<std::optional<Offset>>;

// The refresh interval of an index that is being built: nobody reads it.
inline constexpr std::chrono::milliseconds kNeverRefreshed{-1};

// One concrete index whose _meta names the SearchIndex.
struct ObservedGeneration {
  IndexName index;
  Generation generation;
  std::string document_log;
  // The resources it was built from, kept in its own _meta, so that a generation that the declared
  // resources no longer describe can still be run. Nothing: it cannot be read.
  std::optional<model::PipelineConfig> recipe;
  int32_t replicas = 0;
  std::chrono::milliseconds refresh_interval{0};
};

// A step that the last round could not do.
struct Failure {
  std::string step;  // describe() of it
  Error error;
};

// All that concerns one SearchIndex. If engine or Kafka cannot be reached, what would come from
// them is empty and means nothing.
//
// The order of reading carries the proof that a generation is complete (gate.h): first the
// snapshots' completion, then the ends of the source topics, then the commits of the route groups,
// then those of the fold groups, and last the ends of the document logs.
struct ObservedIndex {
  std::optional<std::string> engine_fault;  // why it cannot be reached
  std::optional<std::string> kafka_fault;

  std::vector<ObservedGeneration> generations;  // in order of name
  std::set<IndexName> foreign;                  // named <indexName>-*, but not ours
  std::vector<IndexName> alias;                 // what it leads to
  // Why the alias cannot be had, such as an index of its name
  std::optional<std::string> alias_fault;

  // Every topic of the SearchIndex's own, and those its bindings and generations read.
  std::map<std::string, ObservedTopic> topics;
  // By group, then topic: route and fold groups of the generations and of what is declared.
  std::map<std::string, std::map<std::string, Committed>> groups;

  std::optional<Failure> failure;
  IndexNotes notes;

  Committed committed(const std::string& group, const std::string& topic) const;  // empty: nothing
};

enum class Role { kCapture, kWorker, kQuery };

std::string_view to_string(Role role);

enum class ProcessState { kStarting, kRunning, kReady, kBackoff };

std::string_view to_string(ProcessState state);

struct ObservedProcess {
  std::string name;
  int64_t pid = 0;  // 0: none now
  std::string address;
  ProcessState state = ProcessState::kStarting;
  std::string message;  // why it is not ready
};

// Processes of one configuration, and what they report of themselves.
struct ObservedWorkload {
  std::string name;
  Role role = Role::kWorker;
  ObjectKey owner;   // empty for capture, which serves several
  std::string hash;  // Workload::hash of what runs
  std::vector<ObservedProcess> processes;

  std::map<std::string, int64_t> dead_letters;    // by binding
  std::map<std::string, std::string> halts;       // by binding: why
  std::map<std::string, bool> snapshot_complete;  // by table
  std::optional<double> rows_per_second;
  std::optional<double> lag_seconds;

  bool ready() const;  // every process is
};

struct Observed {
  // False: nothing that could be read is without faults, so nothing is known to be wanted or
  // unwanted.
  bool resources_known = false;
  model::Resources resources;
  // By key: each declared index, and each that notes remember but that is declared no longer.
  std::map<ObjectKey, ObservedIndex> indices;
  std::vector<ObservedWorkload> workloads;           // in order of name
  std::map<std::string, std::string> secret_hashes;  // by secret: changes when any entry does

  const ObservedWorkload* workload(std::string_view name) const;
};

}  // namespace searchsync::plan
