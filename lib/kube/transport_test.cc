// Tokens, certificates and their rotation, with a server that speaks TLS.

#include "lib/kube/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "lib/kube/client.h"
#include "lib/kube/credentials.h"
#include "lib/kube/fake_api_http.h"
#include "lib/kube/reflector.h"
#include "lib/kube/test_certificates.h"
#include "lib/kube/test_folder.h"
#include "lib/metrics/registry.h"

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const ResourceType kType{.group = "", .version = "v1", .plural = "configmaps", .kind = "ConfigMap"};

class Nobody final : public ReflectorSink {
 public:
  void apply(std::span<const Change>) override {}
  void synced() override {}
};

class TransportTest : public testing::Test {
 protected:
  void serve(const std::string& alternative, const std::string& client_ca = "") {
    const TestPair pair = make_certificate(authority_, "server", alternative);
    fake_ = std::make_unique<FakeApiHttp>(
        1, FakeApiHttp::Options{
               .certificate = pair.certificate, .key = pair.key, .client_ca = client_ca});
    fake_->with([](FakeApiServer& server) { server.serve(kType); });
    config_.server = fake_->url();
    config_.ca.file = folder_.write("ca.crt", authority_.certificate);
  }

  // The status of a GET, or what went wrong.
  std::string get() {
    if (!transport_) {
      auto credentials = Credentials::create(config_);
      if (!credentials) return credentials.error().message;
      credentials_ = std::move(*credentials);
      transport_ = connect(*credentials_, registry_).value();
    }
    Client client(*transport_, {.timeout = seconds(5)});
    const auto answer = client.get_raw("/version");
    return answer ? "200" : answer.error().message;
  }

  const TestFolder folder_;
  const TestPair authority_ = make_authority("ca");
  metrics::Registry registry_;
  ClusterConfig config_;
  std::unique_ptr<FakeApiHttp> fake_;
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(TransportTest, ATokenIsReadAgainWhenItIsRefused) {
  serve("IP:127.0.0.1");
  fake_->require_token("one");
  config_.token.file = folder_.write("token", "one\n");
  EXPECT_EQ(get(), "200");
  fake_->require_token("two");
  folder_.write("token", "two\n");
  EXPECT_EQ(get(), "200");
  fake_->require_token("three");
  EXPECT_THAT(get(), HasSubstr("Unauthorized 401"));
  EXPECT_EQ(get().find("two"), std::string::npos);
  const std::string metrics = registry_.render();
  EXPECT_THAT(metrics, HasSubstr("rest_client_requests_total{code=\"200\",host=\"127.0.0.1:"));
  EXPECT_THAT(metrics, HasSubstr("rest_client_requests_total{code=\"401\",host=\"127.0.0.1:"));
}

TEST_F(TransportTest, ServersAreVerified) {
  serve("IP:127.0.0.1");
  config_.ca = {.text = make_authority("another").certificate, .file = {}};
  EXPECT_THAT(get(), HasSubstr("must be signed by the configured CA"));
}

TEST_F(TransportTest, TheirNameMayBeAnother) {
  serve("DNS:kubernetes");
  EXPECT_THAT(get(), HasSubstr("must be signed by the configured CA and be valid for this host"));
  transport_.reset();
  config_.tls_server_name = "kubernetes";
  EXPECT_EQ(get(), "200");
}

TEST_F(TransportTest, ClientsHaveCertificatesToo) {
  const TestPair clients = make_authority("clients");
  serve("IP:127.0.0.1", clients.certificate);
  EXPECT_NE(get(), "200");
  transport_.reset();
  const TestPair me = make_certificate(clients, "me", "");
  config_.client_certificate.text = me.certificate;
  config_.client_key.text = me.key;
  EXPECT_EQ(get(), "200");
  transport_.reset();
  config_.client_key.text = make_certificate(clients, "me", "").key;  // another's
  EXPECT_THAT(get(), HasSubstr("belong together"));
}

TEST_F(TransportTest, AReplacedAuthorityIsSeen) {
  serve("IP:127.0.0.1");
  const std::string old = make_authority("former").certificate;
  folder_.write("ca.crt", old);
  EXPECT_NE(get(), "200");
  folder_.write("ca.crt", old + authority_.certificate);
  for (int i = 0; i < 100 && get() != "200"; ++i) std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(get(), "200");
}

TEST_F(TransportTest, WatchesToo) {
  serve("IP:127.0.0.1");
  fake_->require_token("two");
  config_.token.file = folder_.write("token", "one");
  get();
  Nobody sink;
  const auto reflectors = Reflectors::create(*credentials_, registry_).value();
  std::vector<ReflectorId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(reflectors->start({.type = kType}, sink));
  const auto becomes = [&](const std::function<bool(const ReflectorStatus&)>& wanted) {
    const auto all = [&] {
      return std::ranges::all_of(ids, [&](auto id) { return wanted(reflectors->status(id)); });
    };
    for (int i = 0; i < 1'000 && !all(); ++i) std::this_thread::sleep_for(milliseconds(10));
    return all();
  };
  EXPECT_TRUE(becomes([](const auto& status) {
    return status.problem.find("Unauthorized 401") != std::string::npos && !status.synced;
  }));
  folder_.write("token", "two");
  EXPECT_TRUE(becomes([](const auto& status) { return status.synced && status.problem.empty(); }));
}

TEST_F(TransportTest, NoSecretGoesOverHttp) {
  FakeApiHttp plain(1);
  plain.require_token("one");
  config_ = {.server = plain.url(), .token = {.text = "one", .file = {}}};
  EXPECT_THAT(get(), HasSubstr("Unauthorized 401"));
}

}  // namespace
}  // namespace searchsync::kube
