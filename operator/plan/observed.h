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

// Those that refer to the index, in order of name.
std::vector<model::SourceBinding> bindings_of(const model::Resources& resources,
                                              const model::SearchIndex& index);

struct ObservedTopic {
  Offsets begin;  // by partition
  Offsets end;    // by partition: one past the last record
};

// What a consumer group has committed of one topic, by partition; nothing: never committed. May be
// shorter than the topic has partitions.
using Committed = std::vector<std::optional<Offset>>;

// An index that holds the documents of one period of a partitioned generation.
struct ObservedPartition {
  model::Period period;
  IndexName index;
  IndexSettings settings;
  bool closed = false;
  bool read = false;  // every alias that should lead to it does
  // Fields of its generation's recipe: somebody has made it who runs an older one.
  bool lacks = false;
};

// One concrete index whose _meta names the SearchIndex.
struct ObservedGeneration {
  IndexName index;
  Generation generation;
  std::string document_log;
  // The resources it was built from, kept in its own _meta, so that a generation that the declared
  // resources no longer describe can still be run. Nothing: it cannot be read.
  std::optional<model::PipelineConfig> recipe;
  IndexSettings settings;
  // What is not as in its recipe, and cannot be changed back in place: a phrase each.
  std::vector<std::string> differences;
  bool narrowed = false;  // the alias leads to it with a filter or a routing, not to all of it
  bool closed = false;    // by a person: nobody can read or write it until a person opens it
  bool marked = true;     // false: its _meta does not say what it is, only the notes do
  bool writable = true;   // false: the alias that workers write by is gone, or was changed
  std::vector<ObservedPartition> partitions = {};  // in order of time
  bool read = false;  // of a partitioned one: every alias leads to its own index that should
  std::string mappings = {};  // of a partitioned one: of its own index, JSON
};

// When another SearchIndex was declared that wants the same name at the same engine.
enum class Claim { kBefore, kAfter };

// A step that the last round could not do.
struct Failure {
  std::string step;  // describe() of it
  Error error;
};

// All that concerns one SearchIndex. If engine or Kafka cannot be reached, what would come from
// them is empty and means nothing.
//
// The order of reading carries the proof that a generation is complete (gate.h): first the
// snapshots' completion, then the ends of the topics that changes and events come from, then what
// is aggregated of the events, then the ends of the tables, then the commits of the route groups,
// then those of the fold groups, and last the ends of the document logs.
struct ObservedIndex {
  std::optional<std::string> engine_fault;  // why it cannot be reached
  std::optional<std::string> kafka_fault;

  std::vector<ObservedGeneration> generations;  // in order of name
  // Named <indexName>-*, but not ours: the SearchIndex that its _meta names; empty: none.
  std::map<IndexName, ObjectKey> foreign;
  // Of those foreign, whose _meta does not say whose they are: those that a SearchSync has made, as
  // their write alias shows. Only name, settings and narrowed are known of them.
  std::vector<ObservedGeneration> unmarked;
  // What it leads to. For partitions, be it one or all, it has their generation.
  std::vector<IndexName> alias;
  // By generation that is gone: its partitions.
  std::map<IndexName, std::vector<IndexName>> strays;
  // The alias of a period leads to another generation than the alias does.
  bool readers_astray = false;
  // Why the alias cannot be had, such as an index of its name
  std::optional<std::string> alias_fault;

  // By check of the declared index: how many documents of the declared generation it finds. Asked
  // only while that generation can be searched and is not under the alias.
  std::map<std::string, Result<int64_t>> check_hits;

  // Every topic of the SearchIndex's own, and those its bindings and generations read.
  std::map<std::string, ObservedTopic> topics;
  // By group, then topic: route, fold and aggregate groups of the generations and of what is
  // declared.
  std::map<std::string, std::map<std::string, Committed>> groups;

  // By binding, "" for those of whole documents: what is in the dead-letter topic and nobody has
  // dealt with.
  std::map<std::string, int64_t, std::less<>> dead_letters;

  // Records that arrive in the sources; nothing: not known yet.
  std::optional<double> arriving_per_second;

  // The other SearchIndexes with its spec.indexName, as far as the world knows of them.
  std::map<ObjectKey, Claim> claims;

  std::optional<Failure> failure;
  IndexNotes notes;

  Committed committed(const std::string& group, const std::string& topic) const;  // empty: nothing
};

enum class Role { kCapture, kWorker, kQuery, kIngest, kAggregate };

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
  ObjectKey owner;       // empty for capture, which serves several
  std::string hash;      // Workload::hash of what runs; empty: it is not as it was made
  int32_t replicas = 0;  // that are to run
  std::vector<ObservedProcess> processes;
  std::string serves;  // kIngest: the host, perhaps with a port, that events are sent to

  std::map<std::string, std::string> halts;       // by binding: why
  std::map<std::string, bool> snapshot_complete;  // by table
  std::optional<double> rows_per_second;
  std::optional<double> lag_seconds;

  bool ready() const;      // every process is, and there is one
  bool any_ready() const;  // one process is
};

// A table that an index with `tables` keeps.
struct ObservedTable {
  std::string path;  // its name in the paths of queries
  ObjectKey index;   // its own, which is among the resources
};

// A table that cannot be kept, and why.
struct ObservedRefusal {
  std::string table;
  std::string reason;
};

// What an index with `tables` is made of.
struct ObservedTables {
  std::optional<std::string> fault;  // why the database could not be read just now
  bool known = false;                // it was read once: the rest is as of then
  std::vector<ObservedTable> kept;
  std::vector<ObservedRefusal> refused;
  std::vector<std::string> remarks;  // for people
};

struct Observed {
  // False: nothing that could be read is without faults, so nothing is known to be wanted or
  // unwanted.
  bool resources_known = false;
  model::Resources resources;
  // By key: each declared index, and each that notes remember but that is declared no longer.
  std::map<ObjectKey, ObservedIndex> indices;
  std::vector<ObservedWorkload> workloads;  // in order of name
  // Captures that have run, by name of their workload, and whose slots may still be there.
  std::set<std::string> captures;
  std::map<std::string, std::string> secret_hashes;  // by secret: changes when any entry does

  // By key of a declared index with `tables`. Those of its tables are among the resources.
  std::map<ObjectKey, ObservedTables> tables;

  const ObservedWorkload* workload(std::string_view name) const;
  // Of an index that is a table's: of the index with `tables`; null: it is none.
  const ObjectKey* database_of(const ObjectKey& index) const;
};

}  // namespace searchsync::plan
