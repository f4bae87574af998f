#include "lib/kube/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/kube/exec_plugin.h"
#include "lib/kube/test_folder.h"

namespace searchsync::kube {
namespace {

using testing::HasSubstr;

constexpr const char* kApi = "client.authentication.k8s.io/v1";

TEST(Credentials, ReadsFilesAndSeesWhatReplacesThem) {
  const TestFolder folder;
  ClusterConfig config;
  config.token.file = folder.write("token", "one\n");
  config.ca.file = folder.write("ca.crt", "ca");
  const auto credentials = Credentials::create(config).value();
  const auto first = credentials->current().value();
  EXPECT_EQ(first->token, "one");
  EXPECT_EQ(first->ca_pem, "ca");

  folder.write("token", "two");
  credentials->rejected(first->revision);
  const auto second = credentials->current().value();
  EXPECT_EQ(second->token, "two");
  EXPECT_NE(second->revision, first->revision);
  EXPECT_EQ(second->tls_revision, first->tls_revision);

  credentials->rejected(first->revision);  // a late answer to the former
  folder.write("token", "three");
  EXPECT_EQ(credentials->current().value()->token, "two");
}

TEST(Credentials, KeepsWhatItHasWhenAFileIsGone) {
  const TestFolder folder;
  ClusterConfig config;
  config.token.file = folder.write("token", "one");
  const auto credentials = Credentials::create(config).value();
  std::filesystem::remove(config.token.file);
  credentials->rejected(credentials->current().value()->revision);
  EXPECT_EQ(credentials->current().value()->token, "one");
}

TEST(Credentials, SaysWhatCannotBeRead) {
  const TestFolder folder;
  ClusterConfig config;
  config.token.file = folder.path() / "none";
  EXPECT_THAT(Credentials::create(config).error().message, HasSubstr("none"));
  config.token.file = folder.write("empty", "");
  EXPECT_THAT(Credentials::create(config).error().message, HasSubstr("empty"));
  config.token = {.text = "a\nb", .file = {}};
  const auto broken = Credentials::create(config);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kInvalidArgument);
}

ExecPlugin shell(const std::string& script) {
  return {.api_version = kApi,
          .command = "/bin/sh",
          .args = {"-c", script},
          .env = {{"GREETING", "hello"}},
          .install_hint = "install a shell"};
}

std::string answer(const std::string& status) {
  return std::string(R"({"apiVersion":")") + kApi + R"(","kind":"ExecCredential","status":)" +
         status + "}";
}

TEST(Credentials, RunsThePluginAgainWhenItsTokenExpires) {
  const TestFolder folder;
  const std::string count = (folder.path() / "count").string();
  ClusterConfig config;
  config.server = "https://here";
  config.exec =
      shell("echo >> " + count + "; echo '" +
            answer(R"({"token":"t","expirationTimestamp":"2100-01-01T00:00:00Z"})") + "'");
  const auto credentials = Credentials::create(config).value();
  const auto runs = [&] { return std::filesystem::file_size(count); };
  EXPECT_EQ(credentials->current().value()->token, "t");
  EXPECT_EQ(runs(), 1u);
  credentials->rejected(credentials->current().value()->revision);
  EXPECT_EQ(credentials->current().value()->token, "t");
  EXPECT_EQ(runs(), 2u);
  credentials->rejected(credentials->current().value()->revision);
  EXPECT_TRUE(credentials->current());  // not twice within a moment
  EXPECT_EQ(runs(), 2u);
}

TEST(ExecPlugin, IsToldAndTells) {
  ClusterConfig config;
  config.server = "https://here";
  config.exec = shell("test \"$GREETING\" = hello && printf '%s' '" +
                      answer(R"({"token":"'$(echo "$KUBERNETES_EXEC_INFO" | wc -c)'"})") + "'");
  config.exec->provide_cluster_info = true;
  const std::string info = exec_info(config, "ca");
  EXPECT_EQ(info,
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":)"
            R"({"cluster":{"certificate-authority-data":"Y2E=","server":"https://here"},)"
            R"("interactive":false}})");
  const auto given = run_exec_plugin(*config.exec, info, std::chrono::seconds(10));
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(given->token, std::to_string(info.size() + 1));
}

TEST(ExecPlugin, FailsWithAReason) {
  const std::tuple<const char*, ErrorCode, const char*> cases[] = {
      {"exit 3", ErrorCode::kPermission, "failed with status 3"},
      {"echo nonsense", ErrorCode::kMalformed, "is no JSON object"},
      {"echo '{}'", ErrorCode::kMalformed, "another kind or apiVersion"},
      {"sleep 60", ErrorCode::kTimeout, "did not end"},
      {"yes", ErrorCode::kMalformed, "writes without end"},
  };
  for (const auto& [script, code, text] : cases) {
    const auto given = run_exec_plugin(
        shell(script), "", std::chrono::milliseconds(code == ErrorCode::kTimeout ? 100 : 20'000));
    ASSERT_FALSE(given) << script;
    EXPECT_EQ(given.error().code, code) << given.error().message;
    EXPECT_THAT(given.error().message, HasSubstr(text));
  }
  ExecPlugin missing = shell("");
  missing.command = "/no/such/program";
  EXPECT_THAT(run_exec_plugin(missing, "", std::chrono::seconds(1)).error().message,
              HasSubstr("install a shell"));
}

TEST(ExecPlugin, ReadsItsAnswer) {
  const ExecPlugin plugin = shell("");
  const auto pair =
      parse_exec_credential(answer(R"({"clientCertificateData":"c","clientKeyData":"k"})"), plugin);
  ASSERT_TRUE(pair) << pair.error().message;
  EXPECT_EQ(pair->certificate_pem, "c");
  EXPECT_FALSE(pair->expires);
  for (const char* status :
       {"{}", "5", R"({"clientKeyData":"k"})", R"({"token":"t","expirationTimestamp":"soon"})"}) {
    EXPECT_FALSE(parse_exec_credential(answer(status), plugin)) << status;
  }
}

}  // namespace
}  // namespace searchsync::kube
