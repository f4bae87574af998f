#pragma once

// The Kubernetes objects that make a workload run. Pure.

#include <span>
#include <string>
#include <vector>

#include "lib/kube/resource.h"
#include "operator/plan/actions.h"

namespace searchsync::cluster {

// What the operator was told about all pods.
struct PodOptions {
  std::string image;
  std::string image_pull_policy = "IfNotPresent";
  std::string log_level = "info";
  // A JSON object, or "": fields of a pod's spec for all pods, such as nodeSelector, tolerations,
  // imagePullSecrets or priorityClassName.
  std::string pod_spec;

  // Another one when any of it, or the way that pods are made of it, is another.
  std::string hash() const;
};

// A SearchIndex that the objects belong to: Kubernetes deletes them with the last of their owners.
struct Owner {
  std::string name;
  std::string uid;
  friend auto operator<=>(const Owner&, const Owner&) = default;
};

struct Manifest {
  kube::ResourceType type;
  kube::ObjectKey key;
  std::string json;  // to be applied
};

// Whether `text` can be a PodOptions::pod_spec.
bool is_json_object(const std::string& text);

// In the order to apply them in: what the pods need comes before them. For a worker with storage
// the volumes are the StatefulSet's.
std::vector<Manifest> manifests(const plan::Workload& workload, std::span<const Owner> owners,
                                const PodOptions& options);

// What a workload's ConfigMap holds: Workload::config.
inline constexpr const char* kConfigEntry = "config.json";

// Where pods have it, and their secrets as <secret>/<key>.
inline constexpr const char* kConfigFolder = "/etc/searchsync/config";
inline constexpr const char* kSecretsFolder = "/etc/searchsync/secrets";

// Where every role listens in its pod.
inline constexpr int kPort = 9090;
// Where an ingest takes events.
inline constexpr int kEventPort = 8080;

}  // namespace searchsync::cluster
