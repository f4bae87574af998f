#include "lib/kube/cluster_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "lib/kube/kubeconfig.h"
#include "lib/kube/read_file.h"

namespace searchsync::kube {
namespace {

namespace fs = std::filesystem;

std::string value_of(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<fs::path> split_paths(std::string_view list) {
  std::vector<fs::path> paths;
  while (!list.empty()) {
    const size_t colon = std::min(list.find(':'), list.size());
    const fs::path path = list.substr(0, colon);
    if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
    list.remove_prefix(std::min(colon + 1, list.size()));
  }
  return paths;
}

}  // namespace

Environment process_environment() {
  return [](const char* name) { return std::getenv(name); };
}

Result<ClusterConfig> in_cluster_config(const Environment& environment,
                                        const fs::path& service_account) {
  const std::string host = value_of(environment, "KUBERNETES_SERVICE_HOST");
  const std::string port = value_of(environment, "KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return fail(ErrorCode::kNotFound,
                "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  ClusterConfig config;
  config.server =
      fmt::format(fmt::runtime(is_v6 ? "https://[{}]:{}" : "https://{}:{}"), host, port);
  config.origin = "in-cluster";
  config.token.file = service_account / "token";
  config.ca.file = service_account / "ca.crt";
  for (const fs::path& file : {config.token.file, config.ca.file}) {
    std::error_code ignored;
    if (fs::exists(file, ignored)) continue;
    return fail(ErrorCode::kNotFound,
                fmt::format("{} is not there: the pod needs a service account whose token is "
                            "mounted (automountServiceAccountToken)",
                            file.string()));
  }
  if (const auto name = read_file(service_account / "namespace")) {
    config.default_namespace = name->substr(0, name->find_first_of("\r\n"));
  }
  if (config.default_namespace.empty()) config.default_namespace = "default";
  return config;
}

Result<ClusterConfig> find_cluster_config(const ConfigChoice& choice,
                                          const Environment& environment) {
  if (choice.kubeconfig) return kubeconfig({*choice.kubeconfig}, choice.context);
  const auto listed = split_paths(value_of(environment, "KUBECONFIG"));
  if (!listed.empty()) return kubeconfig(listed, choice.context);
  const std::string home = value_of(environment, "HOME");
  if (choice.context.empty()) {
    auto in_cluster = in_cluster_config(environment);
    if (in_cluster || !value_of(environment, "KUBERNETES_SERVICE_HOST").empty()) return in_cluster;
  }
  if (home.empty()) {
    return fail(ErrorCode::kNotFound,
                "no cluster is configured: this is no pod, and neither KUBECONFIG nor HOME is set");
  }
  return kubeconfig({fs::path(home) / ".kube" / "config"}, choice.context);
}

}  // namespace searchsync::kube
