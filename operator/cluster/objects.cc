#include "operator/cluster/objects.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/base64.h"
#include "lib/base/check.h"
#include "lib/base/gzip.h"
#include "lib/base/hash.h"
#include "lib/model/resource_schema.h"
#include "operator/cluster/manifests.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr size_t kConfigBytesMax = size_t{64} << 20;

std::string text_at(const json& object, const std::string& pointer) {
  const json::json_pointer at(pointer);
  if (!object.contains(at) || !object.at(at).is_string()) return "";
  return object.at(at).get<std::string>();
}

int64_t number_at(const json& object, const std::string& pointer) {
  const json::json_pointer at(pointer);
  if (!object.contains(at) || !object.at(at).is_number_integer()) return 0;
  return object.at(at).get<int64_t>();
}

std::string entry(const json& object, const std::string& pointer, std::string_view name) {
  const json::json_pointer at(pointer);
  if (!object.contains(at) || !object.at(at).is_object()) return "";
  return object.at(at).value(std::string(name), std::string());
}

plan::ObjectKey owner_of(const json& object) {
  const auto index = entry(object, "/metadata/labels", kIndexLabel);
  if (index.empty()) return "";
  return text_at(object, "/metadata/namespace") + "/" + index;
}

plan::Role role_of(const std::string& label) {
  for (const auto role :
       {plan::Role::kCapture, plan::Role::kQuery, plan::Role::kIngest, plan::Role::kAggregate}) {
    if (label == plan::to_string(role)) return role;
  }
  return plan::Role::kWorker;
}

// The last line of what a container said that ended; manifests.cc has it kept.
std::string last_words(const json& container) {
  auto text = text_at(container, "/lastState/terminated/message");
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// Why its container does not run, as far as Kubernetes says.
std::string container_message(const json& pod) {
  const json::json_pointer statuses("/status/containerStatuses");
  if (pod.contains(statuses) && pod.at(statuses).is_array()) {
    for (const auto& one : pod.at(statuses)) {
      // How long Kubernetes waits until it tries again is of no use to anybody.
      const auto words = last_words(one);
      if (text_at(one, "/state/waiting/reason") == "CrashLoopBackOff" && !words.empty()) {
        return words;
      }
      for (const char* state : {"/state/waiting", "/state/terminated", "/lastState/terminated"}) {
        const auto reason = text_at(one, std::string(state) + "/reason");
        if (reason.empty() || reason == "ContainerCreating" || reason == "Completed") continue;
        const auto message = text_at(one, std::string(state) + "/message");
        return message.empty() ? reason : reason + ": " + message;
      }
    }
  }
  const json::json_pointer conditions("/status/conditions");
  if (pod.contains(conditions) && pod.at(conditions).is_array()) {
    for (const auto& one : pod.at(conditions)) {
      if (text_at(one, "/type") != "PodScheduled" || text_at(one, "/status") != "False") continue;
      return text_at(one, "/reason") + ": " + text_at(one, "/message");
    }
  }
  return text_at(pod, "/status/message");
}

// Whether others than we have fields of it, besides its status.
// Source: Kubernetes 1.34, "Server-Side Apply", managedFields.
bool others_wrote(const json& object) {
  const json::json_pointer managers("/metadata/managedFields");
  if (!object.contains(managers)) return false;
  return std::ranges::any_of(object.at(managers), [](const json& one) {
    return text_at(one, "/manager") != kFieldManager && text_at(one, "/subresource").empty();
  });
}

const kube::ResourceType& made_type(const kube::ResourceType& type) {
  const auto found = std::ranges::find(made_types(), type);
  CHECK(found != made_types().end(), "{} are not made", type.name());
  return *found;
}

// Items of lists may lack what they are.
std::string with_type(json object, const kube::ResourceType& type) {
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  return object.dump();
}

std::string owning_index(const json& object) {
  const json::json_pointer owners("/metadata/ownerReferences");
  if (!object.contains(owners) || !object.at(owners).is_array()) return "";
  for (const auto& one : object.at(owners)) {
    if (text_at(one, "/kind") == search_index_type().kind &&
        text_at(one, "/apiVersion").starts_with(search_index_type().group + "/")) {
      return text_at(one, "/name");
    }
  }
  return "";
}

template <class Resource, class Parse>
Declared<Resource> read_declared(const kube::ResourceType& type, const json& object,
                                 std::string_view text, Parse parse) {
  Declared<Resource> declared;
  declared.meta = read_meta(object);
  auto resource = object.contains("kind") ? parse(text) : parse(with_type(object, type));
  if (resource) {
    declared.resource = std::move(*resource);
  } else {
    declared.fault = resource.error().message;
  }
  if (object.contains("status")) declared.status = object.at("status").dump();
  declared.owner = owning_index(object);
  declared.database = entry(object, "/metadata/labels", kDatabaseLabel);
  return declared;
}

}  // namespace

Meta read_meta(const json& object) {
  Meta meta{.key = {text_at(object, "/metadata/namespace"), text_at(object, "/metadata/name")},
            .uid = text_at(object, "/metadata/uid"),
            .resource_version = text_at(object, "/metadata/resourceVersion"),
            .generation = number_at(object, "/metadata/generation"),
            .created_at = parse_rfc3339(text_at(object, "/metadata/creationTimestamp")),
            .deleted_at = parse_rfc3339(text_at(object, "/metadata/deletionTimestamp")),
            .finalizers = {},
            .owners = {}};
  const json::json_pointer finalizers("/metadata/finalizers");
  if (object.contains(finalizers) && object.at(finalizers).is_array()) {
    for (const auto& one : object.at(finalizers)) {
      if (one.is_string()) meta.finalizers.insert(one.get<std::string>());
    }
  }
  const json::json_pointer owners("/metadata/ownerReferences");
  if (object.contains(owners) && object.at(owners).is_array()) {
    for (const auto& one : object.at(owners)) meta.owners.insert(text_at(one, "/uid"));
  }
  return meta;
}

DeclaredIndex read_index(const json& object, std::string_view text) {
  return read_declared<model::SearchIndex>(search_index_type(), object, text,
                                           model::parse_search_index);
}

DeclaredBinding read_binding(const json& object, std::string_view text) {
  return {read_declared<model::SourceBinding>(source_binding_type(), object, text,
                                              model::parse_source_binding),
          text_at(object, "/spec/indexRef/name")};
}

WorkloadObject read_workload(const kube::ResourceType& type, const json& object) {
  return {.meta = read_meta(object),
          .type = &made_type(type),
          .name = entry(object, "/metadata/annotations", kNameAnnotation),
          .role = role_of(entry(object, "/metadata/labels", kRoleLabel)),
          .owner = owner_of(object),
          .hash = entry(object, "/metadata/annotations", kHashAnnotation),
          .options_hash = entry(object, "/metadata/annotations", kOptionsAnnotation),
          .replicas = static_cast<int32_t>(number_at(object, "/spec/replicas"))};
}

PodObject read_pod(const json& object) {
  return {.meta = read_meta(object),
          .workload = entry(object, "/metadata/labels", kWorkloadLabel),
          .owner = owner_of(object),
          .address = text_at(object, "/status/podIP"),
          .running = text_at(object, "/status/phase") == "Running",
          .message = container_message(object)};
}

MadeObject read_made(const kube::ResourceType& type, const json& object) {
  const auto version = version_number(text_at(object, "/metadata/resourceVersion"));
  const auto generation = static_cast<uint64_t>(number_at(object, "/metadata/generation"));
  return {.type = &made_type(type),
          .incarnation = stable_hash(text_at(object, "/metadata/uid")),
          .version = version,
          .content = generation > 0 ? generation : version,
          .index = entry(object, "/metadata/labels", kIndexLabel),
          .as_made = !others_wrote(object)};
}

std::optional<CaptureObject> read_capture(const kube::ResourceType& type, const json& object) {
  if (type != config_map_type() ||
      role_of(entry(object, "/metadata/labels", kRoleLabel)) != plan::Role::kCapture) {
    return std::nullopt;
  }
  auto name = entry(object, "/metadata/annotations", kNameAnnotation);
  if (name.empty()) return std::nullopt;
  return CaptureObject{read_meta(object), std::move(name)};
}

uint64_t version_number(std::string_view resource_version) {
  uint64_t number = 0;
  std::from_chars(resource_version.data(), resource_version.data() + resource_version.size(),
                  number);
  return number;
}

std::string read_config(std::string_view config_map) {
  const json object = json::parse(config_map, nullptr, false);
  if (!object.is_object()) return "";
  auto plain = text_at(object, std::string("/data/") + kConfigEntry);
  if (!plain.empty()) return plain;
  const auto bytes = decode_base64(text_at(object, std::string("/binaryData/") + kConfigEntry));
  return gunzip(bytes.value_or(""), kConfigBytesMax).value_or("");
}

const std::vector<kube::ResourceType>& made_types() {
  static const std::vector<kube::ResourceType> types = {
      deployment_type(), stateful_set_type(),      service_account_type(), config_map_type(),
      service_type(),    disruption_budget_type(), network_policy_type()};
  return types;
}

}  // namespace searchsync::cluster
