#pragma once

// What the operator reads of the objects of a cluster. Pure.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/time_text.h"
#include "lib/kube/resource.h"
#include "lib/model/resources.h"
#include "operator/plan/observed.h"

namespace searchsync::cluster {

// What the operator needs of an object's metadata.
struct Meta {
  kube::ObjectKey key;
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;  // of the spec
  std::optional<WallTime> created_at;
  std::optional<WallTime> deleted_at;
  std::set<std::string> finalizers;
  std::set<std::string> owners;  // their uids
};

// A SearchIndex or SourceBinding, as it is in the cluster.
template <class Resource>
struct Declared {
  Meta meta;
  std::optional<Resource> resource;  // none: it cannot be read
  std::string fault;                 // why not
  std::string status;                // JSON, or ""
  // Of a table: the SearchIndex that has its database, by name: as Kubernetes knows its owner, and
  // as kDatabaseLabel says.
  std::string owner;
  std::string database;
};
using DeclaredIndex = Declared<model::SearchIndex>;
struct DeclaredBinding : Declared<model::SourceBinding> {
  std::string index;  // the SearchIndex that it refers to, by name, even if it cannot be read
};

// A Deployment or StatefulSet of ours.
struct WorkloadObject {
  Meta meta;
  const kube::ResourceType* type = nullptr;  // of made_types()
  std::string name;                          // Workload::name
  plan::Role role = plan::Role::kWorker;
  plan::ObjectKey owner;  // empty: a capture
  std::string hash;       // Workload::hash
  std::string options_hash;
  int32_t replicas = 0;
};

struct PodObject {
  Meta meta;
  std::string workload;  // object_name()
  plan::ObjectKey owner;
  std::string address;  // empty: none yet
  bool running = false;
  std::string message;  // why it does not run
};

// Any object that we have made, to see whether somebody else has changed it. There are a dozen for
// each index: small.
struct MadeObject {
  const kube::ResourceType* type = nullptr;  // of made_types()
  uint64_t incarnation = 0;                  // another one whenever its uid is another
  uint64_t version = 0;                      // of its metadata
  uint64_t content = 0;  // another one whenever what is declared in the object is another
  std::string index;     // of the same namespace; empty: it is a capture's
  bool as_made = true;
};

// The ConfigMap of a capture, which is there as long as its slot may be.
struct CaptureObject {
  Meta meta;
  std::string name;  // Workload::name
};

// object: JSON as the API server has it. text: the same, before it was parsed.
Meta read_meta(const nlohmann::json& object);
DeclaredIndex read_index(const nlohmann::json& object, std::string_view text);
DeclaredBinding read_binding(const nlohmann::json& object, std::string_view text);
WorkloadObject read_workload(const kube::ResourceType& type, const nlohmann::json& object);
PodObject read_pod(const nlohmann::json& object);
// as_made: whether nobody else has a field of it.
MadeObject read_made(const kube::ResourceType& type, const nlohmann::json& object);
// Nothing: it is something else.
std::optional<CaptureObject> read_capture(const kube::ResourceType& type,
                                          const nlohmann::json& object);

// Versions of objects of one type can be compared as numbers.
// Source: Kubernetes 1.35, "API concepts", resource versions.
uint64_t version_number(std::string_view resource_version);

// The config in the text of a workload's ConfigMap; empty: there is none.
std::string read_config(std::string_view config_map);

// The types of all that is made for workloads; Deployments and StatefulSets are read whole, of the
// others the metadata.
const std::vector<kube::ResourceType>& made_types();

}  // namespace searchsync::cluster
