#include "lib/kube/resource.h"

#include <fmt/format.h>

#include "lib/base/check.h"
#include "lib/http/client.h"

namespace searchsync::kube {

std::string ResourceType::api_version() const {
  return group.empty() ? version : group + "/" + version;
}

std::string ResourceType::name() const {
  return group.empty() ? plural : plural + "." + group;
}

std::string to_string(const ObjectKey& key) {
  return key.namespace_.empty() ? key.name : key.namespace_ + "/" + key.name;
}

std::string collection_path(const ResourceType& type, std::string_view in_namespace) {
  CHECK(type.scope == Scope::kNamespaced || in_namespace.empty(), "{} have no namespace",
        type.name());
  std::string path = (type.group.empty() ? "/api/" : "/apis/") + type.api_version();
  if (!in_namespace.empty()) path += "/namespaces/" + http::percent_encode(in_namespace);
  return path + "/" + type.plural;
}

std::string object_path(const ResourceType& type, const ObjectKey& key) {
  CHECK(!key.name.empty());
  CHECK(type.scope == Scope::kCluster || !key.namespace_.empty(), "{} {} needs a namespace",
        type.name(), key.name);
  return collection_path(type, key.namespace_) + "/" + http::percent_encode(key.name);
}

}  // namespace searchsync::kube
