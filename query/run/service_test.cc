#include "query/run/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <optional>

#include "query/run/exporter.h"
#include "query/run/fake_freshness.h"
#include "query/run/screener_paths.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using testing::HasSubstr;

// A search engine that answers each request with what the test has put there. Faults: any status
// and body; no answer until released; not there at all.
class FakeEngine {
 public:
  FakeEngine() {
    server_.route(http::Method::kPost, "/runs/_search", [this](const http::Request& request) {
      if (held_) released_.wait();
      asked_ = request.body;
      allowed_partial_ = request.query_parameter("allow_partial_search_results").value_or("");
      return answer_;
    });
    EXPECT_TRUE(server_.start());
  }
  ~FakeEngine() { release_.set_value(); }

  std::string url() const { return "http://" + server_.address(); }
  void answer(int status, std::string body) {
    answer_ = {.status = status, .body = std::move(body), .headers = {}};
  }
  // The body of the last search.
  const std::string& asked() const { return asked_; }
  const std::string& allowed_partial() const { return allowed_partial_; }
  void hold() { held_ = true; }
  void leave() { server_.stop(); }

 private:
  std::string allowed_partial_;
  std::string asked_;      // read while no request is under way
  http::Response answer_;  // set while no request is under way
  bool held_ = false;
  std::promise<void> release_;
  const std::shared_future<void> released_ = release_.get_future().share();
  http::Server server_{{.threads = 2}};
};

class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(std::chrono::milliseconds timeout = std::chrono::seconds(10))
      : timeout_(timeout) {
    service_.add_routes(server_);
    exporter_.add_routes(server_);
    screener_paths_.add_routes(server_);
    EXPECT_TRUE(server_.start());
    client_ = http::Client::create({.base_urls = {"http://" + server_.address()}}).value();
  }

  http::ClientResponse search(std::string body = "{}") {
    auto response = client_->request(
        {.method = "POST", .path = "/v1/runs/search", .headers = {}, .body = std::move(body)});
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  const std::chrono::milliseconds timeout_;  // of a question
  FakeEngine engine_;
  const FieldCatalog catalog_ = FieldCatalog::create(test_mappings(), {}).value();
  metrics::Registry registry_;
  const std::unique_ptr<http::Client> to_engine_ =
      http::Client::create({.base_urls = {engine_.url()}}).value();
  Door door_{{.index = "runs",
              .rules = {.catalog = catalog_, .tiebreak = {"id"}, .page_size_max = 100},
              .timeout = timeout_},
             registry_};
  Engine to_{*to_engine_, registry_};
  const std::vector<Screener> screeners_ = read_screeners(std::vector{
      model::ScreenerSpec{
          .name = "team",
          .filter = model::JsonText{R"({"equals":{"field":"owner.team","value":"{{team}}"}})"}},
      model::ScreenerSpec{.name = "broken", .sort = {{"nope"}}}});
  FakeFreshness freshness_;
  Service service_{door_, to_, freshness_, test_mappings(), screeners_};
  Exporter exporter_{door_, to_, registry_};
  ScreenerPaths screener_paths_{screeners_, door_, service_, exporter_};
  http::Server server_{{.threads = 2}};
  std::unique_ptr<http::Client> client_;
};

class ImpatientServiceTest : public ServiceTest {
 protected:
  ImpatientServiceTest() : ServiceTest(std::chrono::milliseconds(500)) {}
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

TEST_F(ImpatientServiceTest, AnEngineThatDoesNotAnswerIsSlow) {
  engine_.hold();
  const auto response = search();
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.body, HasSubstr("engine_timeout"));
}

TEST_F(ServiceTest, TheEngineHasLessTimeThanTheWholeAnswer) {
  engine_.answer(200, R"({"took":3,"timed_out":true,"_shards":{"total":2,"failed":0},
      "hits":{"total":{"value":1,"relation":"eq"},"hits":[{"_id":"1"}]}})");
  EXPECT_EQ(search().status, 504);
  const auto asked = nlohmann::json::parse(engine_.asked())["timeout"].get<std::string>();
  EXPECT_TRUE(asked.ends_with("ms"));
  EXPECT_LE(std::stoi(asked), 9'500);
  EXPECT_GT(std::stoi(asked), 0);
  const auto partial = search(R"({"allowPartial":true})");
  EXPECT_EQ(partial.status, 200);
  EXPECT_EQ(nlohmann::json::parse(partial.body)["partial"], true);
  EXPECT_EQ(engine_.allowed_partial(), "true");
  const auto counted = client_->request({.path = "/v1/runs/count?allowPartial=true"});
  EXPECT_EQ(nlohmann::json::parse(counted->body)["partial"], true);
  search();
  EXPECT_EQ(engine_.allowed_partial(), "false");
}

TEST_F(ServiceTest, AnEngineThatIsGoneIsAway) {
  engine_.leave();
  const auto response = search();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_EQ(response.body.find("127.0.0.1"), std::string::npos) << response.body;
}

TEST_F(ServiceTest, SaysWhatIsServed) {
  const auto get = [&](std::string path) {
    const auto response = client_->request({.path = std::move(path)});
    EXPECT_EQ(response->status, 200) << response->body;
    return nlohmann::json::parse(response->body);
  };
  const auto overview = nlohmann::json::parse(
      R"({"indices":[{"name":"runs","path":"/v1/runs"}],"openapi":"/openapi.json"})");
  EXPECT_EQ(get("/"), overview);
  EXPECT_EQ(get("/v1"), overview);
  // Every path of the document is there, and the other way round.
  const auto api = get("/openapi.json");
  for (const auto& [path, operations] : api["paths"].items()) {
    const auto other = client_->request({.method = "DELETE", .path = path});
    EXPECT_EQ(other->status, 405) << path;
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      EXPECT_THAT(std::string(other->header("allow")), HasSubstr(upper)) << path;
    }
  }
}

TEST_F(ServiceTest, SaysHowFreshItIsIfAsked) {
  engine_.answer(200, R"({"took":3,"timed_out":false,"_shards":{"failed":0},
      "hits":{"total":{"value":1,"relation":"eq"},"hits":[]}})");
  const auto fresh = nlohmann::json::parse(freshness_.json());
  for (const auto& [method, path, status] : std::vector<std::tuple<std::string, std::string, int>>{
           {"GET", "documents?freshness=true", 200},
           {"GET", "count?freshness=true&passed=true", 200},
           {"GET", "timelines/createdAt?freshness=true", 200},
           {"GET", "screeners/team?team=a&freshness=true", 200},
           {"GET", "screeners/team/count?team=a&freshness=true", 200},
           {"POST", "search?freshness=true", 200},
           {"POST", "count?freshness=true", 200},
           {"POST", "search?freshness=yes", 400},
           {"GET", "documents?freshness=1", 400}}) {
    const auto response = client_->request({.method = method, .path = "/v1/runs/" + path});
    EXPECT_EQ(response->status, status) << path << response->body;
    const auto answer = nlohmann::json::parse(response->body);
    EXPECT_EQ(answer.value("freshness", nlohmann::json()), status == 200 ? fresh : nlohmann::json())
        << path;
  }
  EXPECT_FALSE(nlohmann::json::parse(search().body).contains("freshness"));
  const auto alone = client_->request({.path = "/v1/runs/freshness"});
  EXPECT_EQ(nlohmann::json::parse(alone->body), fresh);
}

TEST_F(ServiceTest, ScreenersAskWithTheirParameters) {
  engine_.answer(200, R"({"took":3,"timed_out":false,"_shards":{"failed":0},
      "hits":{"total":{"value":1,"relation":"eq"},"hits":[]}})");
  const auto ask = [&](std::string method, std::string path, std::string body = "") {
    return client_
        ->request({.method = std::move(method),
                   .path = "/v1/runs/screeners" + path,
                   .headers = {},
                   .body = std::move(body)})
        .value();
  };
  EXPECT_THAT(ask("GET", "").body, HasSubstr(R"("parameters":["team"])"));
  EXPECT_EQ(ask("GET", "/team?team=core&size=3").status, 200);
  EXPECT_THAT(engine_.asked(), HasSubstr(R"({"term":{"owner.team":{"value":"core"}}})"));
  EXPECT_THAT(engine_.asked(), HasSubstr(R"("size":3)"));
  EXPECT_EQ(ask("POST", "/team", R"({"parameters":{"team":"a\"b"}})").status, 200);
  EXPECT_THAT(engine_.asked(), HasSubstr(R"({"term":{"owner.team":{"value":"a\"b"}}})"));
  EXPECT_EQ(ask("GET", "/team/count?team=core").body.substr(0, 10), R"({"count":1)");
  EXPECT_EQ(ask("POST", "/team/count", R"({"parameters":{"team":"x"},"size":1})").status, 400);
  for (const char* path : {"/team", "/team?team=a&team=b", "/team?team=a&other=b", "/team?team=%FF",
                           "/team?team=a&size=many", "/team/export?team=a&limit=0"}) {
    EXPECT_EQ(ask("GET", path).status, 400) << path;
  }
  EXPECT_EQ(ask("POST", "/team", R"({"parameters":[]})").status, 400);
  EXPECT_EQ(ask("GET", "/nope").status, 404);
  EXPECT_EQ(ask("GET", "/broken").status, 422);
}

TEST_F(ServiceTest, FaultsDoNotReachTheEngine) {
  engine_.leave();
  const auto response = search(R"({"filter":{"equals":{"field":"nope","value":1}},"size":-1})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(nlohmann::json::parse(response.body)["error"]["faults"].size(), 2u);
}

}  // namespace
}  // namespace searchsync::query
