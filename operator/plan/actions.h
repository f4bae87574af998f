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

// Processes that must run: `replicas` of `searchsync <role>` with this role config.
struct Workload {
  std::string name;
  Role role = Role::kWorker;
  ObjectKey owner;
  int32_t replicas = 1;
  std::string config;  // JSON
  std::string hash;    // of all that, once changed, needs new processes
  int32_t port = 0;    // kQuery: where to listen; 0: anywhere
  friend bool operator==(const Workload&, const Workload&) = default;
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
// And makes what has been written visible.
struct UpdateSettings {
  IndexName index;
  int32_t replicas = 1;
  std::chrono::milliseconds refresh_interval{1000};  // kNeverRefreshed: never
};
// Into every partition of the log. The world notes that it is about to, then sends, then notes the
// offsets.
struct SendLead {
  std::string document_log;
  int32_t partitions = 1;
  Generation generation;
  std::set<Generation> draining;
};
// Into every partition of the log; noted as a Lead is. Tells the generation to write its documents.
struct SendBegin {
  std::string document_log;
  int32_t partitions = 1;
  Generation generation;
  IndexName index;
};
// One call that readers see whole or not at all.
struct SwapAlias {
  std::string alias;
  std::optional<IndexName> from;  // the world refuses if the alias is anywhere else
  IndexName to;
};
struct DeleteIndex {
  IndexName index;
};
// Starts, or replaces when the hash differs.
struct EnsureWorkload {
  Workload workload;
};
// Returns when its processes are gone.
struct RemoveWorkload {
  std::string name;
};

using Action = std::variant<UpdateNotes, ForgetNotes, CreateTopic, DeleteTopic, DeleteGroup,
                            CreateIndex, UpdateSettings, SendLead, SendBegin, SwapAlias,
                            DeleteIndex, EnsureWorkload, RemoveWorkload>;

struct Step {
  ObjectKey owner;  // whose steps stop when this one fails; empty: of capture
  Action action;
  std::string reason;
  std::string precondition;  // what was observed that makes it right now
};

// "a refresh every 1000 ms"
std::string describe_refresh(std::chrono::milliseconds interval);

// "create index test-runs-1a2b3c4d (generation 2)"
std::string describe(const Action& action);

// Whether a person wants to read of it: not of notes.
bool changes_world(const Action& action);

}  // namespace searchsync::plan
