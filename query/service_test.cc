#include "query/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <optional>

#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using testing::HasSubstr;

// A search engine that answers each request with what the test has put there. Faults: any status
// and body; no answer until released; not there at all.
class FakeEngine {
 public:
  FakeEngine() {
    server_.route(http::Method::kPost, "/runs/_search", [this](const http::Request&) {
      if (held_) released_.wait();
      return answer_;
    });
    EXPECT_TRUE(server_.start());
  }
  ~FakeEngine() { release_.set_value(); }

  std::string url() const { return "http://" + server_.address(); }
  void answer(int status, std::string body) {
    answer_ = {.status = status, .body = std::move(body), .headers = {}};
  }
  void hold() { held_ = true; }
  void leave() { server_.stop(); }

 private:
  http::Response answer_;  // set while no request is under way
  bool held_ = false;
  std::promise<void> release_;
  const std::shared_future<void> released_ = release_.get_future().share();
  http::Server server_{{.threads = 2}};
};

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    service_.add_routes(server_);
    EXPECT_TRUE(server_.start());
    client_ = http::Client::create({.base_urls = {"http://" + server_.address()}}).value();
  }

  http::ClientResponse search(std::string body = "{}") {
    auto response = client_->request(
        {.method = "POST", .path = "/v1/runs/search", .headers = {}, .body = std::move(body)});
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  FakeEngine engine_;
  const FieldCatalog catalog_ = FieldCatalog::create(test_mappings(), {}).value();
  metrics::Registry registry_;
  const std::unique_ptr<http::Client> to_engine_ =
      http::Client::create({.base_urls = {engine_.url()}}).value();
  Service service_{"runs",
                   Rules{.catalog = catalog_,
                         .tiebreak = {"id"},
                         .page_size_max = 100,
                         .timeout = std::chrono::milliseconds(50)},
                   *to_engine_, registry_};
  http::Server server_{{.threads = 2}};
  std::unique_ptr<http::Client> client_;
};

TEST_F(ServiceTest, AnswersWithWhatTheEngineFound) {
  engine_.answer(200, R"({"took":3,"timed_out":false,"_shards":{"failed":0},
      "hits":{"total":{"value":1,"relation":"eq"},"hits":[{"_id":"1","_source":{"id":1}}]}})");
  const auto response = search();
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.header("content-type"), "application/json");
  const auto answer = nlohmann::json::parse(response.body);
  EXPECT_EQ(answer["hits"], nlohmann::json::parse(R"([{"id":"1","source":{"id":1}}])"));
  EXPECT_EQ(answer["engineTookMs"], 3);
}

TEST_F(ServiceTest, TheEnginesTroublesHaveTheirOwnStatuses) {
  struct Case {
    int engine;
    std::string body;
    int status;
    std::string_view code;
  };
  for (const Case& c :
       {Case{429, "", 503, "engine_unavailable"}, Case{503, "", 503, "engine_unavailable"},
        Case{404, "", 503, "engine_unavailable"}, Case{504, "", 504, "engine_timeout"},
        Case{401, "", 502, "engine_credentials"}, Case{200, "{", 502, "engine_unreadable"},
        Case{400, R"({"error":{"type":"parse_exception"}})", 400, "engine_refused"},
        Case{200,
             R"({"timed_out":false,"_shards":{"failed":1},
                 "hits":{"total":{"value":0,"relation":"eq"},"hits":[]}})",
             502, "partial_result"}}) {
    engine_.answer(c.engine, c.body);
    const auto response = search();
    EXPECT_EQ(response.status, c.status) << c.engine;
    EXPECT_EQ(nlohmann::json::parse(response.body)["error"]["code"], c.code) << response.body;
    EXPECT_EQ(response.header("retry-after"), c.status == 503 ? "1" : "");
  }
}

TEST_F(ServiceTest, AnEngineThatDoesNotAnswerIsSlow) {
  engine_.hold();
  const auto response = search();
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.body, HasSubstr("engine_timeout"));
}

TEST_F(ServiceTest, AnEngineThatIsGoneIsAway) {
  engine_.leave();
  const auto response = search();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_EQ(response.body.find("127.0.0.1"), std::string::npos) << response.body;
}

TEST_F(ServiceTest, FaultsDoNotReachTheEngine) {
  engine_.leave();
  const auto response = search(R"({"filter":{"equals":{"field":"nope","value":1}},"size":-1})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(nlohmann::json::parse(response.body)["error"]["faults"].size(), 2u);
}

}  // namespace
}  // namespace searchsync::query
