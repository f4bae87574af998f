#include "lib/kube/cluster_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/kube/test_folder.h"

namespace searchsync::kube {
namespace {

using testing::HasSubstr;

constexpr const char* kWhole = R"(
apiVersion: v1
kind: Config
current-context: kind
contexts:
- {name: kind, context: {cluster: local, user: me, namespace: qa}}
- {name: other, context: {cluster: far, user: robot}}
clusters:
- name: local
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: Y2EtcGVt
    tls-server-name: kubernetes
- {name: far, cluster: {server: "https://far:443/prefix", certificate-authority: pki/ca.crt}}
users:
- {name: me, user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}}
- name: robot
  user:
    token: secret
    tokenFile: /run/token
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: bin/give
      args: [a, b]
      env: [{name: X, value: "1"}]
      installHint: install it
      provideClusterInfo: true
)";

Environment environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

TEST(Kubeconfig, ReadsTheCurrentContext) {
  const TestFolder folder;
  const auto config = kubeconfig({folder.write("config", kWhole)});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://127.0.0.1:6443");
  EXPECT_EQ(config->default_namespace, "qa");
  EXPECT_EQ(config->tls_server_name, "kubernetes");
  EXPECT_EQ(config->ca.text, "ca-pem");
  EXPECT_EQ(config->client_certificate.text, "cert");
  EXPECT_EQ(config->client_key.text, "key");
  EXPECT_FALSE(config->token.given());
  EXPECT_FALSE(config->exec);
  EXPECT_THAT(config->origin, HasSubstr("context kind"));
}

TEST(Kubeconfig, ReadsAnotherContextWithItsFiles) {
  const TestFolder folder;
  const auto config = kubeconfig({folder.write("config", kWhole)}, "other");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->default_namespace, "default");
  EXPECT_EQ(config->ca.file, folder.path() / "pki/ca.crt");
  EXPECT_EQ(config->token.file, "/run/token");
  EXPECT_EQ(config->token.text, "");
  ASSERT_TRUE(config->exec);
  EXPECT_EQ(config->exec->command, folder.path() / "bin/give");
  EXPECT_EQ(config->exec->args, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config->exec->env, (std::vector<std::pair<std::string, std::string>>{{"X", "1"}}));
  EXPECT_TRUE(config->exec->provide_cluster_info);
  EXPECT_EQ(config->exec->install_hint, "install it");
}

TEST(Kubeconfig, MergesFilesAsKubectlDoes) {
  const TestFolder folder;
  const auto first = folder.write("first", R"(
current-context: kind
clusters: [{name: local, cluster: {server: "https://first"}}])");
  const auto second = folder.write("second", kWhole);
  const auto config = kubeconfig({folder.path() / "missing", first, second});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://first");
  EXPECT_EQ(config->client_key.text, "key");
}

TEST(Kubeconfig, SaysWhatIsWrongAndWhere) {
  const std::pair<std::string, std::string> cases[] = {
      {"current-context: kind", "current-context: none"},
      {"certificate-authority-data: Y2EtcGVt", "certificate-authority-data: '*'"},
      {"tls-server-name: kubernetes", "insecure-skip-tls-verify: true"},
      {"tls-server-name: kubernetes", "proxy-url: http://proxy"},
      {"server: https://127.0.0.1:6443", "server: 127.0.0.1"},
      {"server: https://127.0.0.1:6443", "server: 5"},
      {"client-key-data: a2V5", "username: admin, password: hunter2"},
      {"client-key-data: a2V5", "x: y"},
      {"client-key-data: a2V5", "client-key-data: a2V5, as: root"},
      {"user: me", "user: nobody"},
      {"clusters:\n", "clusters: 5\nothers:\n"},
  };
  const std::string expected[] = {
      "config: contexts has no none; there are: kind, other",
      "config:12: clusters[local].cluster.certificate-authority-data: is not base64",
      "config:13: clusters[local].cluster.insecure-skip-tls-verify: servers are always verified",
      "config:13: clusters[local].cluster.proxy-url: proxies are not supported",
      "config:11: clusters[local].cluster.server: must be of the form https://host:port",
      "config:11: clusters[local].cluster.server: must be a string",
      "config:16: users[me].user.username: API servers know no passwords any more",
      "config:16: users[me].user: client-certificate and client-key are given together",
      "config:16: users[me].user.as: impersonation is not supported",
      "config: users has no nobody; there are: me, robot",
      "config:8: clusters: must be a list",
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    const TestFolder folder;
    std::string text = kWhole;
    const auto& [from, to] = cases[i];
    text.replace(text.find(from), from.size(), to);
    const auto config = kubeconfig({folder.write("config", text)});
    ASSERT_FALSE(config) << to;
    EXPECT_THAT(config.error().message, HasSubstr(expected[i]));
    EXPECT_EQ(config.error().message.find("hunter2"), std::string::npos);
  }
}

TEST(Kubeconfig, RefusesPluginsItCannotRun) {
  const TestFolder folder;
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"k8s.io/v1\n", "k8s.io/v1alpha1\n"},
        {"command: bin/give", "commands: bin/give"},
        {"provideClusterInfo: true", "interactiveMode: Always"}}) {
    std::string text = kWhole;
    text.replace(text.find(from), from.size(), to);
    EXPECT_FALSE(kubeconfig({folder.write("config", text)}, "other")) << to;
  }
  EXPECT_EQ(kubeconfig({folder.path() / "none"}).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(kubeconfig({folder.write("broken", "a: [")}));
  EXPECT_FALSE(kubeconfig({folder.write("empty", "")}));
}

TEST(ClusterConfig, InAClusterItReadsTheServiceAccount) {
  const TestFolder folder;
  const auto outside = in_cluster_config(environment({}), folder.path());
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, ErrorCode::kNotFound);
  const auto inside =
      environment({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
  EXPECT_THAT(in_cluster_config(inside, folder.path()).error().message, HasSubstr("token"));
  folder.write("token", "t");
  folder.write("ca.crt", "c");
  folder.write("namespace", "searchsync\n");
  const auto config = in_cluster_config(inside, folder.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://10.0.0.1:443");
  EXPECT_EQ(config->default_namespace, "searchsync");
  EXPECT_EQ(config->token.file, folder.path() / "token");
  EXPECT_EQ(config->ca.file, folder.path() / "ca.crt");
  const auto v6 =
      environment({{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
  EXPECT_EQ(in_cluster_config(v6, folder.path())->server, "https://[fd00::1]:443");
}

TEST(ClusterConfig, IsFoundWhereItIsLookedForFirst) {
  const TestFolder folder;
  const std::string file = folder.write("config", kWhole);
  EXPECT_TRUE(find_cluster_config({.kubeconfig = file, .context = ""}, environment({})));
  const auto listed =
      find_cluster_config({.kubeconfig = {}, .context = "other"},
                          environment({{"KUBECONFIG", folder.path().string() + "/none:" + file}}));
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->server, "https://far:443/prefix");
  std::filesystem::create_directory(folder.path() / ".kube");
  std::filesystem::rename(file, folder.path() / ".kube/config");
  const auto home = find_cluster_config({}, environment({{"HOME", folder.path()}}));
  EXPECT_TRUE(home) << home.error().message;
  EXPECT_EQ(find_cluster_config({}, environment({})).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace searchsync::kube
