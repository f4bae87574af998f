#include "lib/kube/fake_api_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::kube {
namespace {

std::string text_at(const Json& object, const std::string& pointer) {
  const Json::json_pointer place(pointer);
  return object.contains(place) && object.at(place).is_string()
             ? object.at(place).get<std::string>()
             : std::string();
}

bool is_dns_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

http::ClientResponse not_found(const ResourceType& type, const ObjectKey& key) {
  return fake_status(404, "NotFound", fmt::format("{} \"{}\" not found", type.name(), key.name));
}

// What of an object a change of makes a new generation.
Json spec_of(Json object) {
  object.erase("metadata");
  object.erase("status");
  return object;
}

bool has_finalizers(const Json& object) {
  const Json::json_pointer place("/metadata/finalizers");
  return object.contains(place) && !object.at(place).empty();
}

}  // namespace

http::ClientResponse fake_answer(int status, const Json& body) {
  return {.status = status, .headers = {{"content-type", "application/json"}}, .body = body.dump()};
}

http::ClientResponse fake_status(int status, std::string_view reason, std::string_view message,
                                 Json causes) {
  return fake_answer(status, {{"kind", "Status"},
                              {"apiVersion", "v1"},
                              {"metadata", Json::object()},
                              {"status", "Failure"},
                              {"message", message},
                              {"reason", reason},
                              {"details", {{"causes", std::move(causes)}}},
                              {"code", status}});
}

size_t FakeApiStore::serve(ResourceType type, bool has_status) {
  types_.push_back({std::move(type), has_status});
  return types_.size() - 1;
}

std::optional<size_t> FakeApiStore::find_type(std::string_view group, std::string_view version,
                                              std::string_view plural) const {
  for (size_t i = 0; i < types_.size(); ++i) {
    const ResourceType& type = types_[i].type;
    if (type.group == group && type.version == version && type.plural == plural) return i;
  }
  return std::nullopt;
}

bool FakeApiStore::matches(const FakeSelector& which, const FakeVersion& version) {
  if (version.type != which.type) return false;
  if (!which.namespace_.empty() && version.key.namespace_ != which.namespace_) return false;
  for (const std::string& part : split(which.labels)) {
    const size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    const auto label = version.labels.find(name);
    if (label == version.labels.end()) return false;
    if (equals != std::string::npos && label->second != part.substr(part.rfind('=') + 1)) {
      return false;
    }
  }
  for (const std::string& part : split(which.fields)) {
    const std::string value = part.substr(part.find('=') + 1);
    if (part.starts_with("metadata.name=") && version.key.name != value) return false;
    if (part.starts_with("metadata.namespace=") && version.key.namespace_ != value) return false;
  }
  return true;
}

std::map<ObjectKey, const FakeVersion*> FakeApiStore::at(const FakeSelector& which,
                                                         uint64_t revision) const {
  std::map<ObjectKey, const FakeVersion*> newest;
  for (const FakeVersion& version : log_) {
    if (version.revision > revision) break;
    if (version.type == which.type) newest[version.key] = &version;
  }
  std::erase_if(newest, [&](const auto& entry) {
    return entry.second->deleted || !matches(which, *entry.second);
  });
  return newest;
}

const FakeVersion* FakeApiStore::find(size_t type, const ObjectKey& key) const {
  for (size_t i = log_.size(); i > 0; --i) {
    const FakeVersion& version = log_[i - 1];
    if (version.type == type && version.key == key) return version.deleted ? nullptr : &version;
  }
  return nullptr;
}

const FakeVersion& FakeApiStore::append(FakeVersion version) {
  version.revision = revision() + 1;
  Json& metadata = version.object["metadata"];
  metadata["resourceVersion"] = std::to_string(version.revision);
  version.labels.clear();
  if (metadata.contains("labels")) {
    for (const auto& [name, value] : metadata["labels"].items()) version.labels[name] = value;
  }
  log_.push_back(std::move(version));
  return log_.back();
}

http::ClientResponse FakeApiStore::write(size_t type, const FakeVersion* before, Json object,
                                         FieldOwners owners, bool status) {
  const auto& [resource, has_status] = types_[type];
  Json& metadata = object["metadata"];
  if (before != nullptr) {
    const Json& old = before->object;
    const std::string version = text_at(metadata, "/resourceVersion");
    if (!version.empty() && version != text_at(old, "/metadata/resourceVersion")) {
      return fake_status(409, "Conflict",
                         fmt::format("Operation cannot be fulfilled on {} \"{}\": the object has "
                                     "been modified",
                                     resource.name(), before->key.name));
    }
    if (status) {
      Json only = old;
      only["status"] = object.value("status", Json());
      if (only["status"].is_null()) only.erase("status");
      object = std::move(only);
    } else if (has_status) {
      object.erase("status");
      if (old.contains("status")) object["status"] = old["status"];
    }
    for (const char* name :
         {"uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp"}) {
      object["metadata"].erase(name);
      if (old["metadata"].contains(name)) object["metadata"][name] = old["metadata"][name];
    }
    if (object == old) {  // nothing is written where nothing changes, but owners may be others
      return fake_answer(200, old);
    }
    if (has_status && spec_of(object) != spec_of(old)) {
      object["metadata"]["generation"] = old["metadata"]["generation"].get<int>() + 1;
    }
  } else {
    if (has_status) object.erase("status");
    metadata["uid"] = fmt::format("00000000-0000-4000-8000-{:012}", ++uids_);
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z";
    metadata.erase("resourceVersion");
    if (has_status) metadata["generation"] = 1;
  }
  const bool ends = object["metadata"].contains("deletionTimestamp") && !has_finalizers(object);
  const ObjectKey key{text_at(object, "/metadata/namespace"), text_at(object, "/metadata/name")};
  const FakeVersion& written = append({.type = type,
                                       .key = key,
                                       .object = std::move(object),
                                       .owners = std::move(owners),
                                       .deleted = ends});
  return fake_answer(before == nullptr ? 201 : 200, written.object);
}

http::ClientResponse FakeApiStore::create(size_t type, const std::string& in_namespace,
                                          Json object) {
  const ResourceType& resource = types_[type].type;
  if (!object.is_object() || text_at(object, "/kind") != resource.kind ||
      text_at(object, "/apiVersion") != resource.api_version()) {
    return fake_status(400, "BadRequest", "the object has another kind or apiVersion");
  }
  const std::string name = text_at(object, "/metadata/name");
  const ObjectKey key{in_namespace, name};
  if (!is_dns_name(name)) {
    return fake_status(422, "Invalid", fmt::format("{} \"{}\" is invalid", resource.kind, name),
                       {{{"reason", "FieldValueInvalid"},
                         {"message", "a lowercase RFC 1123 subdomain must consist of …"},
                         {"field", "metadata.name"}}});
  }
  if (find(type, key) != nullptr) {
    return fake_status(409, "AlreadyExists",
                       fmt::format("{} \"{}\" already exists", resource.name(), name));
  }
  if (!in_namespace.empty()) object["metadata"]["namespace"] = in_namespace;
  FieldOwners owners;
  fake_own_changes(Json(), object, owners);
  return write(type, nullptr, std::move(object), std::move(owners), false);
}

http::ClientResponse FakeApiStore::replace(size_t type, const ObjectKey& key, Json object,
                                           bool status) {
  const FakeVersion* before = find(type, key);
  if (before == nullptr) return not_found(types_[type].type, key);
  const FakeVersion old = *before;
  if (!object.is_object() || text_at(object, "/metadata/name") != key.name) {
    return fake_status(400, "BadRequest", "the name of the object does not match the path");
  }
  if (!key.namespace_.empty()) object["metadata"]["namespace"] = key.namespace_;
  FieldOwners owners = old.owners;
  fake_own_changes(old.object, object, owners);
  return write(type, &old, std::move(object), std::move(owners), status);
}

http::ClientResponse FakeApiStore::merge(size_t type, const ObjectKey& key, const Json& patch,
                                         bool status) {
  const FakeVersion* before = find(type, key);
  if (before == nullptr) return not_found(types_[type].type, key);
  if (!patch.is_object()) return fake_status(400, "BadRequest", "a merge patch is an object");
  const FakeVersion old = *before;
  Json object = old.object;
  object["metadata"].erase("resourceVersion");  // of the patch alone
  object.merge_patch(patch);
  FieldOwners owners = old.owners;
  fake_own_changes(old.object, object, owners);
  return write(type, &old, std::move(object), std::move(owners), status);
}

http::ClientResponse FakeApiStore::apply(size_t type, const ObjectKey& key, Json object,
                                         const std::string& manager, bool force, bool status) {
  const ResourceType& resource = types_[type].type;
  if (manager.empty()) return fake_status(400, "BadRequest", "fieldManager is required");
  if (!object.is_object() || text_at(object, "/kind") != resource.kind ||
      text_at(object, "/apiVersion") != resource.api_version() ||
      text_at(object, "/metadata/name") != key.name) {
    return fake_status(400, "BadRequest", "the object has another kind, apiVersion or name");
  }
  const FakeVersion* before = find(type, key);
  if (before == nullptr && status) return not_found(resource, key);
  const FakeVersion old = before == nullptr ? FakeVersion{} : *before;
  FieldOwners owners = old.owners;
  // The owner of a status and the owner of the rest are kept apart, as subresources are.
  const std::string owner = status ? manager + "/status" : manager;
  Json result;
  const Json conflicts = fake_apply(old.object, object, owner, force, result, owners);
  if (!conflicts.empty()) {
    return fake_status(409, "Conflict",
                       fmt::format("Apply failed with {} conflicts", conflicts.size()), conflicts);
  }
  if (!key.namespace_.empty()) result["metadata"]["namespace"] = key.namespace_;
  if (before == nullptr) {
    return write(type, nullptr, std::move(result), std::move(owners), false);
  }
  if (!object["metadata"].contains("resourceVersion")) result["metadata"].erase("resourceVersion");
  // Also where the object is as it was: who owns its fields may have changed.
  log_[static_cast<size_t>(before - log_.data())].owners = owners;
  return write(type, &old, std::move(result), std::move(owners), status);
}

http::ClientResponse FakeApiStore::remove(size_t type, const ObjectKey& key, const Json& options) {
  const FakeVersion* before = find(type, key);
  if (before == nullptr) return not_found(types_[type].type, key);
  FakeVersion last = *before;
  const Json preconditions = options.value("preconditions", Json::object());
  for (const auto& [name, value] : preconditions.items()) {
    if (value == last.object["metadata"][name]) continue;
    return fake_status(409, "Conflict", fmt::format("Precondition failed: {} differs", name));
  }
  const bool foreground = options.value("propagationPolicy", "") == "Foreground";
  if (foreground) last.object["metadata"]["finalizers"].push_back("foregroundDeletion");
  if (has_finalizers(last.object)) {
    last.object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z";
  } else {
    last.deleted = true;
  }
  return fake_answer(200, append(std::move(last)).object);
}

}  // namespace searchsync::kube
