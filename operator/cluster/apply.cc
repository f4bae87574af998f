#include "operator/cluster/apply.h"

#include <nlohmann/json.hpp>

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr const char* kKubectl = "kubectl";

// As kubectl keeps it; an object without members if there is nothing of the kind.
json last_applied(const json& live) {
  const auto annotations = live.value("/metadata/annotations"_json_pointer, json::object());
  const auto text = annotations.value(kLastApplied, json());
  if (!text.is_string()) return json::object();
  auto applied = json::parse(text.get_ref<const std::string&>(), nullptr, false);
  return applied.is_object() ? applied : json::object();
}

const json& member(const json& object, const std::string& name) {
  static const json nothing;
  return object.is_object() && object.contains(name) ? object.at(name) : nothing;
}

}  // namespace

json three_way_patch(const json& live, const json& before, const json& now) {
  json patch = json::object();
  if (before.is_object()) {
    for (const auto& [name, value] : before.items()) {
      if (!now.contains(name)) patch[name] = nullptr;
    }
  }
  for (const auto& [name, value] : now.items()) {
    const json& there = member(live, name);
    const json& was = member(before, name);
    if (value.is_null()) {
      // What was null before, too, is as if nobody had said it.
      if (!was.is_null() || !before.contains(name)) patch[name] = nullptr;
    } else if (value.is_object() && there.is_object()) {
      auto inner = three_way_patch(there, was, value);
      if (!inner.empty()) patch[name] = std::move(inner);
    } else if (value != there) {
      patch[name] = value;
    }
  }
  return patch;
}

std::string server_side_manager(const json& live) {
  if (!last_applied(live).empty()) return "";
  std::string found;
  for (const auto& one : live.value("/metadata/managedFields"_json_pointer, json::array())) {
    if (member(one, "operation") != "Apply" || one.contains("subresource")) continue;
    const auto name = one.value("manager", "");
    if (found.empty() || name == kKubectl) found = name;
  }
  return found;
}

json apply_patch(const json& live, const json& file) {
  return three_way_patch(live, last_applied(live), file);
}

}  // namespace searchsync::cluster
