#include "operator/cluster/manifests.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "lib/base/base64.h"
#include "lib/base/gzip.h"
#include "lib/base/hash.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;
using plan::Role;
using plan::Workload;

// Changed whenever the objects below are made differently: running pods are replaced then.
constexpr int kManifestsRevision = 2;
constexpr int64_t kUser = 65532;
constexpr const char* kStateFolder = "/var/lib/searchsync";
// As long as a worker or capture may take to finish what is under way.
constexpr int kGraceSeconds = 30;
constexpr int kLeaveSeconds = 5;
// Of a configuration: what is longer nobody reads. A ConfigMap holds 1 MiB, a table takes 3 KB.
constexpr size_t kPlainBytesMax = 16 << 10;

std::string text(std::string_view view) {
  return std::string(view);
}

class Builder {
 public:
  Builder(const Workload& workload, std::span<const Owner> owners, const PodOptions& options)
      : workload_(workload), options_(options), name_(object_name(workload)) {
    for (const auto& owner : owners) {
      owners_.push_back({{"apiVersion", search_index_type().api_version()},
                         {"kind", search_index_type().kind},
                         {"name", owner.name},
                         {"uid", owner.uid}});
    }
  }

  std::vector<Manifest> build() {
    add(service_account_type(), {{"automountServiceAccountToken", false}});
    add(config_map_type(), config_map());
    if (is_asked()) add(service_type(), {{"spec", service()}});
    if (workload_.role != Role::kCapture) add(disruption_budget_type(), {{"spec", budget()}});
    add(network_policy_type(), {{"spec", network_policy()}});
    if (workload_.has_state()) {
      add_controller(stateful_set_type(), stateful_set());
    } else {
      add_controller(deployment_type(), deployment());
    }
    return std::move(all_);
  }

 private:
  json metadata() const {
    json labels = {{kManagedByLabel, kManagedBy},
                   {"app.kubernetes.io/part-of", "searchsync"},
                   {"app.kubernetes.io/component", to_string(workload_.role)},
                   {kRoleLabel, to_string(workload_.role)},
                   {kWorkloadLabel, name_}};
    if (!workload_.owner.empty()) labels[text(kIndexLabel)] = parse_key(workload_.owner).name;
    return {{"name", name_},
            {"namespace", workload_.namespace_},
            {"labels", labels},
            {"ownerReferences", owners_}};
  }

  // That of a capture belongs to nobody: it stands for the slot, and goes when that is dropped.
  json config_metadata() const {
    auto meta = metadata();
    meta["annotations"] = {{kNameAnnotation, workload_.name}};
    if (workload_.role == Role::kCapture) meta.erase("ownerReferences");
    return meta;
  }

  json config_map() const {
    json content = {{"metadata", config_metadata()}};
    if (workload_.config.size() <= kPlainBytesMax) {
      content["data"] = {{kConfigEntry, workload_.config}};
    } else {
      content["binaryData"] = {{kConfigEntry, encode_base64(gzip(workload_.config))}};
    }
    return content;
  }

  void add(const kube::ResourceType& type, json content) {
    content["apiVersion"] = type.api_version();
    content["kind"] = type.kind;
    if (!content.contains("metadata")) content["metadata"] = metadata();
    all_.push_back({type, {workload_.namespace_, name_}, content.dump()});
  }

  void add_controller(const kube::ResourceType& type, json spec) {
    json meta = metadata();
    meta["annotations"] = {{kNameAnnotation, workload_.name},
                           {kHashAnnotation, workload_.hash},
                           {kOptionsAnnotation, options_.hash()}};
    add(type, {{"metadata", meta}, {"spec", std::move(spec)}});
  }

  // By others than the operator and Prometheus.
  bool is_asked() const {
    return workload_.role == Role::kQuery || workload_.role == Role::kIngest;
  }

  json selector() const { return {{"matchLabels", {{kWorkloadLabel, name_}}}}; }

  json service() const {
    json port = {{"name", "http"}, {"port", 80}, {"targetPort", "http"}};
    if (workload_.role == Role::kIngest) {
      const bool secure = workload_.scheme == plan::Scheme::kHttps;
      port = {{"name", secure ? "https" : "http"},
              {"port", secure ? 443 : 80},
              {"targetPort", "events"}};
    }
    return {{"selector", {{kWorkloadLabel, name_}}}, {"ports", json::array({port})}};
  }

  json budget() const { return {{"maxUnavailable", 1}, {"selector", selector()}}; }

  // In: its ports. Out: wherever the resources say, which is not known as addresses of pods.
  json network_policy() const {
    json open = json::array({{{"protocol", "TCP"}, {"port", "http"}}});
    if (workload_.role == Role::kIngest) open.push_back({{"protocol", "TCP"}, {"port", "events"}});
    return {{"podSelector", selector()},
            {"policyTypes", {"Ingress"}},
            {"ingress", json::array({{{"ports", open}}})}};
  }

  json deployment() const {
    json spec = {{"replicas", workload_.replicas},
                 {"selector", selector()},
                 {"revisionHistoryLimit", 2},
                 {"template", pod_template()}};
    // Two captures would only take the slot from each other.
    if (workload_.role == Role::kCapture) {
      spec["strategy"] = {{"type", "Recreate"}};
    } else {
      spec["strategy"] = {{"type", "RollingUpdate"},
                          {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", 1}}}};
    }
    return spec;
  }

  json stateful_set() const {
    json spec = {{"replicas", workload_.replicas},
                 {"podManagementPolicy", "Parallel"},
                 {"revisionHistoryLimit", 2},
                 {"selector", selector()},
                 {"template", pod_template()}};
    if (!workload_.storage) return spec;
    json claim = {{"accessModes", {"ReadWriteOnce"}},
                  {"resources", {{"requests", {{"storage", workload_.storage->size}}}}}};
    if (workload_.storage->storage_class_name) {
      claim["storageClassName"] = *workload_.storage->storage_class_name;
    }
    spec["volumeClaimTemplates"] = {{{"metadata", {{"name", "state"}}}, {"spec", claim}}};
    spec["persistentVolumeClaimRetentionPolicy"] = {{"whenDeleted", "Delete"},
                                                    {"whenScaled", "Retain"}};
    return spec;
  }

  json pod_template() const {
    json meta = metadata();
    meta = {{"labels", meta["labels"]}, {"annotations", {{kHashAnnotation, workload_.hash}}}};
    return {{"metadata", meta}, {"spec", pod_spec()}};
  }

  json pod_spec() const {
    json spec = options_.pod_spec.empty() ? json::object() : json::parse(options_.pod_spec);
    spec["serviceAccountName"] = name_;
    spec["automountServiceAccountToken"] = false;
    spec["enableServiceLinks"] = false;
    spec["terminationGracePeriodSeconds"] = kGraceSeconds;
    spec["securityContext"] = {{"runAsNonRoot", true},
                               {"runAsUser", kUser},
                               {"runAsGroup", kUser},
                               {"fsGroup", kUser},
                               {"fsGroupChangePolicy", "OnRootMismatch"},
                               {"seccompProfile", {{"type", "RuntimeDefault"}}}};
    spec["topologySpreadConstraints"] = {{{"maxSkew", 1},
                                          {"topologyKey", "kubernetes.io/hostname"},
                                          {"whenUnsatisfiable", "ScheduleAnyway"},
                                          {"labelSelector", selector()}}};
    spec["containers"] = {container()};
    spec["volumes"] = volumes();
    return spec;
  }

  json container() const {
    const std::string role(to_string(workload_.role));
    json args = {"--log-level",
                 options_.log_level,
                 role,
                 "--config",
                 text(kConfigFolder) + "/" + kConfigEntry,
                 "--secrets",
                 kSecretsFolder,
                 "--listen",
                 fmt::format("0.0.0.0:{}", kPort)};
    json ports = json::array({{{"name", "http"}, {"containerPort", kPort}}});
    if (workload_.role == Role::kIngest) {
      args.push_back("--serve");
      args.push_back(fmt::format("0.0.0.0:{}", kEventPort));
      ports.push_back({{"name", "events"}, {"containerPort", kEventPort}});
    }
    if (workload_.has_state()) {
      args.push_back("--state-dir");
      args.push_back(text(kStateFolder) + "/state");
    }
    json resources = {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}}};
    if (workload_.resources) resources = json::parse(workload_.resources->text);
    json one = {{"name", role},
                {"image", options_.image},
                {"imagePullPolicy", options_.image_pull_policy},
                {"args", args},
                {"ports", ports},
                {"resources", resources},
                {"securityContext",
                 {{"allowPrivilegeEscalation", false},
                  {"readOnlyRootFilesystem", true},
                  {"capabilities", {{"drop", {"ALL"}}}}}},
                {"livenessProbe", probe("/healthz", 10, 6)},
                {"startupProbe", probe("/healthz", 1, 60)},
                // Ready is who may be asked. The others are asked by nobody: what they wait for,
                // such as a broken source, must not hold up a rollout.
                {"readinessProbe", probe(is_asked() ? "/readyz" : "/healthz", 2, 2)},
                {"terminationMessagePolicy", "FallbackToLogsOnError"},
                {"volumeMounts", mounts()}};
    if (is_asked()) {
      // Those who route to it hear that it ends a moment after it does.
      one["lifecycle"] = {{"preStop", {{"sleep", {{"seconds", kLeaveSeconds}}}}}};
    }
    return one;
  }

  static json probe(const char* path, int period, int failures) {
    return {{"httpGet", {{"path", path}, {"port", "http"}}},
            {"periodSeconds", period},
            {"timeoutSeconds", 5},
            {"failureThreshold", failures}};
  }

  json mounts() const {
    json all = {{{"name", "config"}, {"mountPath", kConfigFolder}, {"readOnly", true}}};
    for (const auto& secret : workload_.secrets) {
      all.push_back({{"name", volume_of(secret)},
                     {"mountPath", text(kSecretsFolder) + "/" + secret},
                     {"readOnly", true}});
    }
    if (workload_.has_state()) {
      all.push_back({{"name", "state"}, {"mountPath", kStateFolder}});
    }
    return all;
  }

  json volumes() const {
    json all = {{{"name", "config"}, {"configMap", {{"name", name_}}}}};
    for (const auto& secret : workload_.secrets) {
      all.push_back({{"name", volume_of(secret)},
                     {"secret", {{"secretName", secret}, {"defaultMode", 0440}}}});
    }
    if (workload_.has_state() && !workload_.storage) {
      all.push_back({{"name", "state"}, {"emptyDir", json::object()}});
    }
    return all;
  }

  // Volumes are called by DNS labels, secrets by longer names with dots.
  static std::string volume_of(const std::string& secret) {
    return "secret-" + stable_hash_hex(secret, 8);
  }

  const Workload& workload_;
  const PodOptions& options_;
  const std::string name_;
  json owners_ = json::array();
  std::vector<Manifest> all_;
};

}  // namespace

std::string PodOptions::hash() const {
  return stable_hash_hex(fmt::format("{}\n{}\n{}\n{}\n{}", kManifestsRevision, image,
                                     image_pull_policy, log_level, pod_spec),
                         16);
}

bool is_json_object(const std::string& text) {
  return json::parse(text, nullptr, false).is_object();
}

std::vector<Manifest> manifests(const Workload& workload, std::span<const Owner> owners,
                                const PodOptions& options) {
  return Builder(workload, owners, options).build();
}

}  // namespace searchsync::cluster
