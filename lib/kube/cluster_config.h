#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::kube {

// A certificate, key or token: its text, or the file that holds it and may be replaced while we
// run. Both empty: there is none.
struct Material {
  std::string text;
  std::filesystem::path file;
  bool given() const { return !text.empty() || !file.empty(); }
};

// A program that hands out credentials. Source: client.authentication.k8s.io/v1, ExecConfig.
struct ExecPlugin {
  std::string api_version;  // client.authentication.k8s.io/v1, or v1beta1 of the same form
  std::string command;      // an absolute path, or a name that is looked for in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::string install_hint;
  bool provide_cluster_info = false;
};

// How to reach one API server, and as whom. Holds secrets: not to be logged.
struct ClusterConfig {
  std::string server;  // "https://host:port[/prefix]"; over http:// no credentials are sent
  std::string tls_server_name;  // the name its certificate is for; empty: the host in `server`
  std::string default_namespace = "default";
  Material ca;  // none: the system's certificates
  Material client_certificate;
  Material client_key;
  Material token;
  std::optional<ExecPlugin> exec;
  std::string origin;  // "in-cluster", "/home/me/.kube/config, context kind": for messages
};

// The value of a variable, or null.
using Environment = std::function<const char*(const char*)>;
Environment process_environment();

// As a pod sees it: KUBERNETES_SERVICE_HOST and _PORT, and the files token, ca.crt and namespace of
// the service account. Errors: kNotFound if this is no pod.
Result<ClusterConfig> in_cluster_config(
    const Environment& environment,
    const std::filesystem::path& service_account = "/var/run/secrets/kubernetes.io/serviceaccount");

// From kubeconfig files, merged as kubectl does: of clusters, users and contexts of one name the
// first file's counts, and so does the first current-context. Files that are not there are left
// out, if at least one is. Paths in a file are relative to its folder.
//
// context: instead of current-context.
// Errors: kNotFound, kInvalidArgument; they say file and field. What cannot be honoured is refused,
// not ignored: insecure-skip-tls-verify, proxy-url, username and password, auth-provider, as.
Result<ClusterConfig> kubeconfig(const std::vector<std::filesystem::path>& files,
                                 std::string_view context = {});

struct ConfigChoice {
  std::optional<std::filesystem::path> kubeconfig;  // a file that was asked for
  std::string context;
};

// The file asked for; else the files of $KUBECONFIG (with ':' between); else the pod's; else
// ~/.kube/config.
Result<ClusterConfig> find_cluster_config(const ConfigChoice& choice,
                                          const Environment& environment = process_environment());

}  // namespace searchsync::kube
