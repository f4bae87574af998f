#include "operator/cluster/names.h"

#include <algorithm>

#include "lib/base/hash.h"

namespace searchsync::cluster {
namespace {

constexpr size_t kNameMax = 52;
constexpr int kHashLength = 8;

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

}  // namespace

#define SEARCHSYNC_TYPE(function, ...)                 \
  const kube::ResourceType& function() {               \
    static const kube::ResourceType type{__VA_ARGS__}; \
    return type;                                       \
  }

SEARCHSYNC_TYPE(search_index_type, "searchsync.io", "v1alpha1", "searchindices", "SearchIndex")
SEARCHSYNC_TYPE(source_binding_type, "searchsync.io", "v1alpha1", "sourcebindings", "SourceBinding")
SEARCHSYNC_TYPE(deployment_type, "apps", "v1", "deployments", "Deployment")
SEARCHSYNC_TYPE(stateful_set_type, "apps", "v1", "statefulsets", "StatefulSet")
SEARCHSYNC_TYPE(pod_type, "", "v1", "pods", "Pod")
SEARCHSYNC_TYPE(service_account_type, "", "v1", "serviceaccounts", "ServiceAccount")
SEARCHSYNC_TYPE(config_map_type, "", "v1", "configmaps", "ConfigMap")
SEARCHSYNC_TYPE(service_type, "", "v1", "services", "Service")
SEARCHSYNC_TYPE(disruption_budget_type, "policy", "v1", "poddisruptionbudgets",
                "PodDisruptionBudget")
SEARCHSYNC_TYPE(network_policy_type, "networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
SEARCHSYNC_TYPE(secret_type, "", "v1", "secrets", "Secret")
SEARCHSYNC_TYPE(namespace_type, "", "v1", "namespaces", "Namespace", kube::Scope::kCluster)
SEARCHSYNC_TYPE(event_type, "events.k8s.io", "v1", "events", "Event")

#undef SEARCHSYNC_TYPE

std::string object_name(const plan::Workload& workload) {
  // Names of the planner hold the namespace, where it is not the default one.
  std::string name = workload.name;
  const auto at = name.find("-" + workload.namespace_ + ".");
  if (at != std::string::npos) name.erase(at + 1, workload.namespace_.size() + 1);
  const auto exact = name;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return is_label_character(c) ? c : '-'; });
  if (name == exact && name.size() <= kNameMax) return name;
  name.resize(std::min(name.size(), kNameMax - kHashLength - 1));
  while (name.ends_with('-')) name.pop_back();
  return name + "-" + stable_hash_hex(exact, kHashLength);
}

kube::ObjectKey parse_key(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos) return {"", std::string(key)};
  return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

}  // namespace searchsync::cluster
