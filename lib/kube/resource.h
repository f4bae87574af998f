#pragma once

// What the Kubernetes API is made of: types of resources, and objects by their names.

#include <compare>
#include <string>
#include <string_view>

namespace searchsync::kube {

enum class Scope { kNamespaced, kCluster };

// One served type. {"apps", "v1", "deployments", "Deployment"}; the core group is "".
struct ResourceType {
  std::string group;
  std::string version;
  std::string plural;
  std::string kind;
  Scope scope = Scope::kNamespaced;

  std::string api_version() const;  // "apps/v1", "v1"
  std::string name() const;         // "deployments.apps", "configmaps": for messages and labels
  friend auto operator<=>(const ResourceType&, const ResourceType&) = default;
};

// Of an object of a known type. The namespace of what has none is empty.
struct ObjectKey {
  std::string namespace_;
  std::string name;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

std::string to_string(const ObjectKey& key);  // "namespace/name", "name"

// "/apis/apps/v1/namespaces/qa/deployments"; of all namespaces if `in_namespace` is empty.
std::string collection_path(const ResourceType& type, std::string_view in_namespace);
// "/apis/apps/v1/namespaces/qa/deployments/web". The key fits the type's scope: else it is a bug.
std::string object_path(const ResourceType& type, const ObjectKey& key);

}  // namespace searchsync::kube
