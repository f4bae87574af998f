#pragma once

// What the operator calls things in a cluster.

#include <string>
#include <string_view>

#include "lib/kube/resource.h"
#include "operator/plan/actions.h"

namespace searchsync::cluster {

inline constexpr std::string_view kFieldManager = "searchsync";
inline constexpr std::string_view kFinalizer = "searchsync.io/delete-data";

// Labels of everything that the operator makes; the first is what its watches select by.
inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
inline constexpr std::string_view kManagedBy = "searchsync";
inline constexpr std::string_view kWorkloadLabel = "searchsync.io/workload";  // object_name()
inline constexpr std::string_view kRoleLabel = "searchsync.io/role";
inline constexpr std::string_view kIndexLabel = "searchsync.io/index";  // none: a capture
// Of the two resources of a table: the SearchIndex with `tables`.
inline constexpr std::string_view kDatabaseLabel = "searchsync.io/database";

// Annotations of Deployments and StatefulSets; the first of ConfigMaps as well.
inline constexpr std::string_view kNameAnnotation = "searchsync.io/name";  // Workload::name
inline constexpr std::string_view kHashAnnotation = "searchsync.io/hash";  // Workload::hash
inline constexpr std::string_view kOptionsAnnotation = "searchsync.io/options";

const kube::ResourceType& search_index_type();
const kube::ResourceType& source_binding_type();
const kube::ResourceType& deployment_type();
const kube::ResourceType& stateful_set_type();
const kube::ResourceType& pod_type();
const kube::ResourceType& service_account_type();
const kube::ResourceType& config_map_type();
const kube::ResourceType& service_type();
const kube::ResourceType& disruption_budget_type();
const kube::ResourceType& network_policy_type();
const kube::ResourceType& secret_type();
const kube::ResourceType& namespace_type();
const kube::ResourceType& event_type();

// Of the workload's Deployment or StatefulSet, and all that goes with it: a DNS label of at most 52
// characters, which leaves room for what Kubernetes appends. Unique in the workload's namespace.
std::string object_name(const plan::Workload& workload);

kube::ObjectKey parse_key(std::string_view key);  // of "<namespace>/<name>"

}  // namespace searchsync::cluster
