#include "operator/cluster/apply.h"

#include <nlohmann/json.hpp>
#include <string>

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// The fields that a set of Kubernetes names, as far as they are members of objects; null for one
// that is named as a whole.
// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/, fieldsV1.
json fields_of(const json& set) {
  if (set.empty()) return nullptr;
  json fields = json::object();
  for (const auto& [name, inner] : set.items()) {
    if (name.starts_with("f:")) fields[name.substr(2)] = fields_of(inner);
  }
  return fields;
}

// What an object has of whoever applied it last, at either end.
json applied_before(const json& object) {
  const auto annotations = object.value("/metadata/annotations"_json_pointer, json::object());
  const auto text = annotations.find(kLastApplied);
  if (text != annotations.end() && text->is_string()) {
    auto applied = json::parse(text->get_ref<const std::string&>(), nullptr, false);
    return applied.is_object() ? applied : json::object();
  }
  json fields = json::object();
  const auto managed = object.value("/metadata/managedFields"_json_pointer, json::array());
  for (const auto& one : managed) {
    if (one.value("operation", "") != "Apply") continue;
    const auto these = fields_of(one.value("fieldsV1", json::object()));
    if (these.is_object()) fields.update(these, true);
  }
  return fields;
}

json merge(json live, const json& before, const json& now) {
  for (const auto& [name, value] : before.items()) {
    if (!now.contains(name)) live.erase(name);
  }
  for (const auto& [name, value] : now.items()) {
    const auto there = live.find(name);
    const auto was = before.value(name, json::object());
    if (value.is_null()) {
      live.erase(name);
    } else if (there != live.end() && there->is_object() && value.is_object() && !was.is_null()) {
      *there = merge(*there, was.is_object() ? was : json::object(), value);
    } else {
      live[name] = value;
    }
  }
  return live;
}

}  // namespace

json as_applied(const json& live, const json& file) {
  return merge(live, applied_before(live), file);
}

}  // namespace searchsync::cluster
