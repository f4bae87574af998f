#include <fmt/format.h>

#include "lib/kube/fake_api_store.h"

namespace searchsync::kube {
namespace {

// The fields of an object that can be owned, as JSON pointers with their values. Arrays are one
// field: stricter than lists with keys.
void collect(const Json& value, const std::string& pointer, std::map<std::string, Json>& fields) {
  if (!value.is_object() || value.empty()) {
    fields[pointer] = value;
    return;
  }
  for (const auto& [name, member] : value.items()) {
    static const std::set<std::string> nobodys{
        "/apiVersion",          "/kind",
        "/metadata/name",       "/metadata/uid",
        "/metadata/namespace",  "/metadata/resourceVersion",
        "/metadata/generation", "/metadata/creationTimestamp"};
    std::string escaped;
    for (const char c : name) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    const std::string inner = pointer + "/" + escaped;
    if (!nobodys.contains(inner)) collect(member, inner, fields);
  }
}

std::map<std::string, Json> fields_of(const Json& object) {
  std::map<std::string, Json> fields;
  if (object.is_object()) collect(object, "", fields);
  return fields;
}

void erase_at(Json& object, const std::string& pointer) {
  const Json::json_pointer place(pointer);
  if (!object.contains(place)) return;
  Json& parent = object.at(place.parent_pointer());
  if (parent.is_object()) parent.erase(place.back());
}

void set_at(Json& object, const std::string& pointer, const Json& value) {
  const Json::json_pointer place(pointer);
  // What is on the way there and no object gives way to one.
  for (auto up = place.parent_pointer(); !up.empty(); up = up.parent_pointer()) {
    if (object.contains(up) && !object.at(up).is_object()) erase_at(object, up.to_string());
  }
  object[place] = value;
}

}  // namespace

Json fake_apply(const Json& current, const Json& applied, const std::string& manager, bool force,
                Json& result, FieldOwners& owners) {
  const auto before = fields_of(current);
  const auto wanted = fields_of(applied);
  Json conflicts = Json::array();
  for (const auto& [pointer, value] : wanted) {
    const auto there = before.find(pointer);
    if (there != before.end() && there->second == value) continue;
    for (auto& [other, owned] : owners) {
      if (other == manager || !owned.contains(pointer)) continue;
      if (force) {
        owned.erase(pointer);
        continue;
      }
      std::string field = pointer;
      std::ranges::replace(field, '/', '.');
      conflicts.push_back({{"reason", "FieldManagerConflict"},
                           {"message", fmt::format("conflict with \"{}\"", other)},
                           {"field", field}});
    }
  }
  if (!conflicts.empty()) return conflicts;
  result = current.is_null() ? applied : current;
  for (const std::string& pointer : owners[manager]) {
    if (wanted.contains(pointer)) continue;
    bool shared = false;
    for (const auto& [other, owned] : owners) {
      shared = shared || (other != manager && owned.contains(pointer));
    }
    if (!shared) erase_at(result, pointer);
  }
  owners[manager].clear();
  for (const auto& [pointer, value] : wanted) {
    set_at(result, pointer, value);
    owners[manager].insert(pointer);
  }
  return conflicts;
}

void fake_own_changes(const Json& before, const Json& after, FieldOwners& owners) {
  const auto old_fields = fields_of(before);
  const auto new_fields = fields_of(after);
  for (const auto& [pointer, value] : new_fields) {
    const auto there = old_fields.find(pointer);
    if (there != old_fields.end() && there->second == value) continue;
    for (auto& [manager, owned] : owners) owned.erase(pointer);
    owners["before-first-apply"].insert(pointer);
  }
  for (const auto& [pointer, value] : old_fields) {
    if (new_fields.contains(pointer)) continue;
    for (auto& [manager, owned] : owners) owned.erase(pointer);
  }
}

}  // namespace searchsync::kube
