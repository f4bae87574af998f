#include "lib/kube/kubeconfig.h"

#include <fmt/format.h>

#include <set>

#include "lib/base/base64.h"
#include "lib/kube/read_file.h"

namespace searchsync::kube {
namespace {

namespace fs = std::filesystem;

// A certificate or key: `name`-data is base64 and counts before `name`, a file.
Result<Material> read_material(const KubeconfigValue& body, const std::string& name) {
  const KubeconfigValue data = body.member(name + "-data");
  const KubeconfigValue file = body.member(name);
  Material material;
  if (data.given()) {
    ASSIGN_OR_RETURN(const std::string text, data.string());
    auto decoded = decode_base64(text, Spaces::kLeftOut);
    if (!decoded) return data.fault(ErrorCode::kInvalidArgument, "is not base64");
    material.text = std::move(*decoded);
    if (!material.text.empty()) return material;
  }
  ASSIGN_OR_RETURN(const std::string path, file.string());
  if (!path.empty()) material.file = file.folder() / path;
  return material;
}

Result<void> refuse(const KubeconfigValue& body, std::string_view field, std::string_view remedy) {
  const KubeconfigValue value = body.member(field);
  if (!value.given()) return {};
  const model::Node& node = *value.node();
  const auto* flag = std::get_if<bool>(&node.value);
  if ((flag != nullptr && !*flag) || (node.string() != nullptr && node.string()->empty())) {
    return {};
  }
  return value.fault(ErrorCode::kUnsupported, remedy);
}

Result<void> read_cluster(const KubeconfigValue& body, ClusterConfig& config) {
  RETURN_IF_ERROR(refuse(body, "insecure-skip-tls-verify",
                         "servers are always verified: give certificate-authority instead"));
  RETURN_IF_ERROR(refuse(body, "proxy-url", "proxies are not supported: leave it out"));
  ASSIGN_OR_RETURN(config.server, body.member("server").string());
  if (!config.server.starts_with("https://") && !config.server.starts_with("http://")) {
    return body.member("server").fault(ErrorCode::kInvalidArgument,
                                       "must be of the form https://host:port");
  }
  ASSIGN_OR_RETURN(config.tls_server_name, body.member("tls-server-name").string());
  ASSIGN_OR_RETURN(config.ca, read_material(body, "certificate-authority"));
  return {};
}

Result<ExecPlugin> read_exec(const KubeconfigValue& exec) {
  ExecPlugin plugin;
  ASSIGN_OR_RETURN(plugin.api_version, exec.member("apiVersion").string());
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return exec.member("apiVersion")
        .fault(ErrorCode::kUnsupported, "must be client.authentication.k8s.io/v1");
  }
  ASSIGN_OR_RETURN(plugin.command, exec.member("command").string());
  if (plugin.command.empty()) {
    return exec.member("command").fault(ErrorCode::kInvalidArgument, "is missing");
  }
  // As kubectl has it: a name is looked for in PATH, anything with a slash is a path.
  if (plugin.command.find('/') != std::string::npos) {
    plugin.command = (exec.folder() / plugin.command).string();
  }
  ASSIGN_OR_RETURN(const std::string mode, exec.member("interactiveMode").string());
  if (mode == "Always") {
    return exec.member("interactiveMode")
        .fault(ErrorCode::kUnsupported, "a program that asks people cannot be used here");
  }
  ASSIGN_OR_RETURN(plugin.install_hint, exec.member("installHint").string());
  ASSIGN_OR_RETURN(plugin.provide_cluster_info, exec.member("provideClusterInfo").boolean());
  ASSIGN_OR_RETURN(const auto args, exec.member("args").elements());
  for (const KubeconfigValue& arg : args) {
    ASSIGN_OR_RETURN(std::string text, arg.string());
    plugin.args.push_back(std::move(text));
  }
  ASSIGN_OR_RETURN(const auto variables, exec.member("env").elements());
  for (const KubeconfigValue& variable : variables) {
    ASSIGN_OR_RETURN(std::string name, variable.member("name").string());
    ASSIGN_OR_RETURN(std::string value, variable.member("value").string());
    plugin.env.emplace_back(std::move(name), std::move(value));
  }
  return plugin;
}

Result<void> read_user(const KubeconfigValue& body, ClusterConfig& config) {
  for (const char* field : {"username", "password"}) {
    RETURN_IF_ERROR(refuse(body, field,
                           "API servers know no passwords any more: use a token, a client "
                           "certificate or exec"));
  }
  RETURN_IF_ERROR(refuse(body, "auth-provider", "is not supported any more: use exec"));
  for (const char* field : {"as", "as-uid", "as-groups", "as-user-extra"}) {
    RETURN_IF_ERROR(refuse(body, field, "impersonation is not supported"));
  }
  ASSIGN_OR_RETURN(config.client_certificate, read_material(body, "client-certificate"));
  ASSIGN_OR_RETURN(config.client_key, read_material(body, "client-key"));
  if (config.client_certificate.given() != config.client_key.given()) {
    return body.fault(ErrorCode::kInvalidArgument,
                      "client-certificate and client-key are given together or not at all");
  }
  ASSIGN_OR_RETURN(config.token.text, body.member("token").string());
  const KubeconfigValue file = body.member("tokenFile");
  ASSIGN_OR_RETURN(const std::string path, file.string());
  if (!path.empty()) config.token = {.text = {}, .file = file.folder() / path};
  if (const KubeconfigValue exec = body.member("exec"); exec.given()) {
    ASSIGN_OR_RETURN(config.exec, read_exec(exec));
  }
  return {};
}

}  // namespace

KubeconfigValue KubeconfigValue::member(std::string_view name) const {
  const model::Node* found = node_ == nullptr ? nullptr : node_->find(name);
  return {found, file_, path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name)};
}

Result<std::string> KubeconfigValue::string() const {
  if (!given()) return std::string();
  if (const std::string* text = node_->string()) return *text;
  return fault(ErrorCode::kInvalidArgument, "must be a string");
}

Result<bool> KubeconfigValue::boolean() const {
  if (!given()) return false;
  if (const bool* flag = std::get_if<bool>(&node_->value)) return *flag;
  return fault(ErrorCode::kInvalidArgument, "must be true or false");
}

Result<std::vector<KubeconfigValue>> KubeconfigValue::elements() const {
  std::vector<KubeconfigValue> all;
  if (!given()) return all;
  const auto* sequence = node_->sequence();
  if (sequence == nullptr) return fault(ErrorCode::kInvalidArgument, "must be a list");
  for (size_t i = 0; i < sequence->size(); ++i) {
    all.emplace_back(&(*sequence)[i], file_, fmt::format("{}[{}]", path_, i));
  }
  return all;
}

std::unexpected<Error> KubeconfigValue::fault(ErrorCode code, std::string_view message) const {
  const int line = node_ == nullptr ? 0 : node_->position.line;
  return fail(code, line == 0
                        ? fmt::format("{}: {}: {}", file_->string(), path_, message)
                        : fmt::format("{}:{}: {}: {}", file_->string(), line, path_, message));
}

Result<MergedKubeconfig> MergedKubeconfig::read(const std::vector<fs::path>& files) {
  MergedKubeconfig merged;
  std::string missing;
  for (const fs::path& path : files) {
    auto text = read_file(path);
    if (!text) {
      if (text.error().code != ErrorCode::kNotFound) return std::unexpected(text.error());
      missing += (missing.empty() ? "" : ", ") + path.string();
      continue;
    }
    File file{.path = path, .yaml = model::parse_yaml(path.string(), *text)};
    if (!file.yaml.faults.empty()) {
      return fail(ErrorCode::kInvalidArgument, model::to_string(file.yaml.faults.front()));
    }
    if (file.yaml.documents.size() > 1) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: has several YAML documents; a kubeconfig is one", path.string()));
    }
    if (!file.yaml.documents.empty()) merged.files_.push_back(std::move(file));
  }
  if (merged.files_.empty()) {
    return fail(ErrorCode::kNotFound, missing.empty()
                                          ? "the kubeconfig is empty"
                                          : fmt::format("there is no kubeconfig at {}", missing));
  }
  return merged;
}

Result<std::string> MergedKubeconfig::current_context() const {
  for (const File& file : files_) {
    const KubeconfigValue root(&file.yaml.documents.front(), &file.path, "");
    ASSIGN_OR_RETURN(std::string name, root.member("current-context").string());
    if (!name.empty()) return name;
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: no current-context: name one, or run kubectl config use-context",
                          this->files()));
}

Result<KubeconfigValue> MergedKubeconfig::find(std::string_view kind, std::string_view name) const {
  std::set<std::string> others;
  for (const File& file : files_) {
    const KubeconfigValue list(file.yaml.documents.front().find(kind), &file.path,
                               std::string(kind));
    ASSIGN_OR_RETURN(const auto entries, list.elements());
    for (const KubeconfigValue& entry : entries) {
      ASSIGN_OR_RETURN(std::string its_name, entry.member("name").string());
      if (its_name != name) {
        others.insert(std::move(its_name));
        continue;
      }
      const std::string body(kind.substr(0, kind.size() - 1));  // clusters: cluster
      const model::Node* node = entry.node()->find(body);
      KubeconfigValue value(node, &file.path, fmt::format("{}[{}].{}", kind, name, body));
      if (node == nullptr || node->mapping() == nullptr) {
        return value.fault(ErrorCode::kInvalidArgument, "must be an object");
      }
      return value;
    }
  }
  return fail(ErrorCode::kNotFound, fmt::format("{}: {} has no {}; there are: {}", files(), kind,
                                                name, fmt::join(others, ", ")));
}

std::string MergedKubeconfig::files() const {
  std::string all;
  for (const File& file : files_) all += (all.empty() ? "" : ", ") + file.path.string();
  return all;
}

Result<ClusterConfig> kubeconfig(const std::vector<fs::path>& files, std::string_view context) {
  ASSIGN_OR_RETURN(const MergedKubeconfig merged, MergedKubeconfig::read(files));
  std::string name(context);
  if (name.empty()) {
    ASSIGN_OR_RETURN(name, merged.current_context());
  }
  ASSIGN_OR_RETURN(const KubeconfigValue chosen, merged.find("contexts", name));
  ASSIGN_OR_RETURN(const std::string cluster_name, chosen.member("cluster").string());
  ASSIGN_OR_RETURN(const std::string user_name, chosen.member("user").string());
  ASSIGN_OR_RETURN(const std::string namespace_name, chosen.member("namespace").string());
  ClusterConfig config;
  config.origin = fmt::format("{}, context {}", merged.files(), name);
  if (!namespace_name.empty()) config.default_namespace = namespace_name;
  ASSIGN_OR_RETURN(const KubeconfigValue cluster, merged.find("clusters", cluster_name));
  RETURN_IF_ERROR(read_cluster(cluster, config));
  if (!user_name.empty()) {
    ASSIGN_OR_RETURN(const KubeconfigValue user, merged.find("users", user_name));
    RETURN_IF_ERROR(read_user(user, config));
  }
  return config;
}

}  // namespace searchsync::kube
