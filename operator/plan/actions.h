#pragma once

// Everything the operator can do to the world: a closed set. Each is idempotent: done twice, or
// done again after half of it was done, it gives the same world.

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/role_config.h"
#include "operator/plan/observed.h"

namespace searchsync::plan {

// What a kIngest speaks.
enum class Scheme { kHttp, kHttps };

// Processes that must run: `replicas` of `searchsync <role>` with this role config.
struct Workload {
  std::string name;  // unique in all namespaces
  std::string namespace_;
  Role role = Role::kWorker;
  ObjectKey owner;
  int32_t replicas = 1;
  std::string config;  // JSON
  std::string hash;    // of all that, once changed, needs new processes
  int32_t port = 0;    // kQuery, kIngest: where to listen; 0: anywhere
  Scheme scheme = Scheme::kHttp;
  std::set<std::string> secrets;              // that the processes read
  std::optional<model::JsonText> resources;   // of a container; the cluster's default
  std::optional<model::StorageSpec> storage;  // kWorker, kAggregate: nothing is the node's disk
  friend bool operator==(const Workload&, const Workload&) = default;

  // Whether its processes keep something on disk, each its own.
  bool has_state() const { return role == Role::kWorker || role == Role::kAggregate; }
};

// Replaces the notes of one index.
struct UpdateNotes {
  IndexNotes notes;
};
struct ForgetNotes {};
struct CreateTopic {
  std::string topic;
  int32_t partitions = 1;
  int32_t replication_factor = 1;
  std::map<std::string, std::string> config;
};
struct DeleteTopic {
  std::string topic;
};
// Forgets what a group committed, so that it reads from the beginning. Its members must be gone.
struct DeleteGroup {
  std::string group;
};
struct CreateIndex {
  model::PipelineConfig recipe;  // becomes the index's mappings, settings and _meta
};
// And makes what has been written visible, unless it is never to be.
struct UpdateSettings {
  IndexName index;
  IndexSettings settings;
};
// Of a generation's recipe, those that are not there yet.
struct CreatePartitions {
  model::PipelineConfig recipe;
  std::vector<model::Period> periods;
};
// As UpdateSettings; those that are gone meanwhile are left out.
struct SetPartitions {
  IndexName generation;
  std::vector<IndexName> partitions;
  IndexSettings settings;
};
// Adds all partitions of the index that is read to the aliases they are read by.
struct ShowPartitions {
  std::string alias;
  IndexName index;
};
// What is in them is too old, or their generation is no more.
struct DropPartitions {
  IndexName generation;
  std::vector<IndexName> partitions;
};
// To a generation's own index and to partitions; those that are gone meanwhile are left out. What
// is there is not changed: where that would be necessary, it fails.
struct AddFields {
  IndexName generation;
  std::string content;  // of the recipe that the fields are of: see content_of()
  std::vector<IndexName> indices;
  std::string mappings;  // as they are declared, a JSON object
};
// Writes the index's _meta again, as CreateIndex did, or with a renewed recipe.
struct WriteMeta {
  model::PipelineConfig recipe;
};
// Gives the index the alias that workers write by, as CreateIndex did.
struct PutWriteAlias {
  IndexName index;
};
// Into every partition of the log. The world notes that it is about to, then sends, then notes the
// offsets.
struct SendLead {
  std::string document_log;
  int32_t partitions = 1;
  Generation generation;
  std::set<Generation> draining;
  TimePoint now;
};
// Into every partition of the log; noted as a Lead is. Tells the generation to write its documents.
struct SendBegin {
  std::string document_log;
  int32_t partitions = 1;
  Generation generation;
  IndexName index;
};
enum class Layout { kWhole, kPartitioned };

// Makes visible what was written to `to`, then moves the alias, to all of it, in one call that
// readers see whole or not at all.
struct SwapAlias {
  std::string alias;
  std::vector<IndexName> from;  // the world refuses if the alias is anywhere else
  IndexName to;
  std::optional<TimePoint> before;  // the world refuses to begin later
  Layout layout = Layout::kWhole;   // kPartitioned: of any of them
};
struct DeleteIndex {
  IndexName index;
};
// Starts, or replaces when the hash differs; starts or stops some when only the number does.
struct EnsureWorkload {
  Workload workload;
};
// Returns when its processes are gone.
struct RemoveWorkload {
  std::string name;
};

// Of a capture whose processes are gone: its replication slot, which keeps the database's log, and
// its publication; and forgets that the capture was.
struct DropSlot {
  std::string capture;  // Workload::name
};

using Action =
    std::variant<UpdateNotes, ForgetNotes, CreateTopic, DeleteTopic, DeleteGroup, CreateIndex,
                 UpdateSettings, CreatePartitions, SetPartitions, ShowPartitions, DropPartitions,
                 AddFields, WriteMeta, PutWriteAlias, SendLead, SendBegin, SwapAlias, DeleteIndex,
                 EnsureWorkload, RemoveWorkload, DropSlot>;

struct Step {
  // Whose steps stop when this one fails; empty: of capture. A DropSlot is its capture's own: a
  // database that is away holds up nothing else.
  ObjectKey owner;
  Action action;
  std::string reason;
  std::string precondition;  // what was observed that makes it right now
};

// "2 replicas and a refresh every 1000 ms"; other gc_deletes than ours are added.
std::string describe(const IndexSettings& settings);

// "a, b"
std::string names(const std::vector<IndexName>& indices);

// "create index test-runs-1a2b3c4d (generation 2)"
std::string describe(const Action& action);

// Whether a person wants to read of it: not of notes.
bool changes_world(const Action& action);

}  // namespace searchsync::plan
