#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "query/run/callers.h"
#include "query/run/exporter.h"
#include "query/run/fake_freshness.h"
#include "query/run/relations.h"
#include "query/run/screener_paths.h"
#include "query/run/service.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAll = "all-rights-0123456789";
constexpr std::string_view kCore = "core-team-0123456789";
constexpr std::string_view kOther = "other-index-0123456789";
constexpr std::string_view kSlow = "slow-0123456789abcdef";

// The service with keys, over an engine that notes what it is asked and finds one document.
class KeyedServiceTest : public testing::Test {
 protected:
  KeyedServiceTest() : folder_(std::filesystem::path(testing::TempDir()) / "keyed_service_test") {
    std::filesystem::remove_all(folder_);
    write("alice", fmt::format("key: {}", kAll));
    write("core.team", fmt::format(R"({{"key":"{}","indices":[{{"name":"runs",
        "fields":["testName","owner.email","createdAt"],
        "filter":{{"equals":{{"field":"owner.team","value":"core"}}}}}}]}})",
                                   kCore));
    write("other", fmt::format("key: {}\nindices: [{{name: orders}}]", kOther));
    write("slow", fmt::format("key: {}\nrateLimit: {{perSecond: 1, burst: 1}}", kSlow));
    engine_.route(http::Method::kPost, "/runs/_search", [this](const http::Request& request) {
      asked_.push_back(request.body);
      if (empty_) {
        return http::Response{.body = R"({"took":1,"timed_out":false,"_shards":{"failed":0},
            "hits":{"total":{"value":0,"relation":"eq"},"hits":[]}})"};
      }
      return http::Response{.body = R"({"took":1,"timed_out":false,"_shards":{"failed":0},
          "hits":{"total":{"value":1,"relation":"eq"},
                  "hits":[{"_id":"7","_source":{"testName":"a"},"sort":[7]}]}})"};
    });
    engine_.route(http::Method::kGet, "/runs/_doc/{id}", [this](const http::Request&) {
      if (empty_) return http::Response{.status = 404, .body = R"({"_id":"7","found":false})"};
      return http::Response{.body = R"({"_id":"7","found":true,"_source":{"secret":1}})"};
    });
    engine_.route(http::Method::kGet, "/", [](const http::Request&) {
      return http::Response{
          .body = R"({"version":{"number":"8.16.6"},"tagline":"You Know, for Search"})"};
    });
    engine_.route(http::Method::kPost, "/runs/_pit",
                  [](const http::Request&) { return http::Response{.body = R"({"id":"p"})"}; });
    engine_.route(http::Method::kDelete, "/_pit",
                  [](const http::Request&) { return http::Response{.body = "{}"}; });
    engine_.route(http::Method::kPost, "/_search", [this](const http::Request& request) {
      asked_.push_back(request.body);
      return http::Response{.body = R"({"took":1,"timed_out":false,"_shards":{"failed":0},
          "hits":{"hits":[{"_id":"7","_source":{"testName":"a"},"sort":[7]}]}})"};
    });
    EXPECT_TRUE(engine_.start());
    to_engine_ = http::Client::create({.base_urls = {"http://" + engine_.address()}}).value();
    to_.emplace(*to_engine_, registry_);
  }
  ~KeyedServiceTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& entry, std::string_view text) {
    std::filesystem::create_directories(folder_ / "keys");
    std::ofstream(folder_ / "keys" / entry) << text;
  }

  Result<std::vector<Caller>> callers() {
    model::PipelineConfig config;
    model::SearchIndexSpec& spec = config.index.spec;
    spec.index_name = "runs";
    spec.mappings = test_mappings();
    spec.query.keys_secret_ref = model::SecretRef{"keys"};
    spec.query.relations = relations_;
    config.related = {
        {.name = "orders",
         .index_name = "all-orders",
         .mappings = {R"({"properties":{"code":{"type":"keyword"},"total":{"type":"double"}}})"},
         .keys_secret_ref = model::SecretRef{"keys"}}};
    Rules rules = rules_;
    rules.relations = read_relations(config, rules.catalog);
    return read_callers(model::FolderSecrets(folder_), config, rules);
  }

  void start(std::optional<model::RateLimitSpec> limit = {}) {
    auto known = callers();
    ASSERT_TRUE(known) << known.error().message;
    door_.emplace(
        Door::Options{
            .index = "runs", .rules = rules_, .keys = std::move(*known), .rate_limit = limit},
        registry_);
    const auto screeners = read_screeners(
        std::vector{model::ScreenerSpec{.name = "mine"},
                    model::ScreenerSpec{.name = "by-severity", .sort = {{"severity"}}}});
    service_.emplace(*door_, *to_, freshness_, test_mappings(), screeners);
    exporter_.emplace(*door_, *to_, registry_);
    paths_.emplace(screeners, *door_, *service_, *exporter_);
    service_->add_routes(server_);
    exporter_->add_routes(server_);
    paths_->add_routes(server_);
    ASSERT_TRUE(server_.start());
    client_ = http::Client::create({.base_urls = {"http://" + server_.address()}}).value();
  }

  http::ClientResponse ask(std::string_view key, std::string method, std::string path,
                           std::string body = "") {
    http::ClientRequest request{.method = std::move(method),
                                .path = std::move(path),
                                .headers = {},
                                .body = std::move(body)};
    if (!key.empty()) request.headers.push_back({"Authorization", fmt::format("Bearer {}", key)});
    auto response = client_->request(request);
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  const std::filesystem::path folder_;
  Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(), .tiebreak = {"id"}};
  bool empty_ = false;  // the engine has no document
  std::vector<model::RelationSpec> relations_;
  std::vector<std::string> asked_;  // read while no request is under way
  metrics::Registry registry_;
  http::Server engine_{{.threads = 2}};
  std::unique_ptr<http::Client> to_engine_;
  std::optional<Engine> to_;
  std::optional<Door> door_;
  FakeFreshness freshness_;
  std::optional<Service> service_;
  std::optional<Exporter> exporter_;
  std::optional<ScreenerPaths> paths_;
  http::Server server_{{.threads = 2}};
  std::unique_ptr<http::Client> client_;
};

TEST_F(KeyedServiceTest, NothingIsSaidWithoutAKey) {
  start();
  for (const char* path :
       {"/", "/v1", "/openapi.json", "/v1/runs/fields", "/v1/runs/documents",
        "/v1/runs/documents/7", "/v1/runs/count", "/v1/runs/export", "/v1/runs/screeners",
        "/v1/runs/screeners/mine", "/v1/other/fields", "/v1/runs/timelines/createdAt"}) {
    for (const std::string_view key :
         {std::string_view(), std::string_view("wrong-0123456789abcdef"), kAll.substr(1)}) {
      const auto response = ask(key, "GET", path);
      EXPECT_EQ(response.status, 401) << path;
      EXPECT_EQ(response.header("www-authenticate"), "Bearer");
    }
    EXPECT_NE(ask(kAll, "GET", path).status, 401) << path;
  }
  const auto by_header = client_->request(
      {.path = "/v1/runs/fields", .headers = {{"X-API-Key", std::string(kAll)}}, .body = {}});
  EXPECT_EQ(by_header->status, 200);
  const auto basic = client_->request({.path = "/v1/runs/fields",
                                       .headers = {{"Authorization", "Basic " + std::string(kAll)}},
                                       .body = {}});
  EXPECT_EQ(basic->status, 401);
}

TEST_F(KeyedServiceTest, AKeyIsForItsIndices) {
  start();
  const auto response = ask(kOther, "GET", "/v1/runs/fields");
  EXPECT_EQ(response.status, 403);
  EXPECT_THAT(response.body, HasSubstr("the index runs"));
  EXPECT_EQ(ask(kOther, "GET", "/openapi.json").status, 403);
  EXPECT_EQ(ask(kAll, "GET", "/v1/other/fields").status, 404);
}

// Every door: the engine is never asked without the filter, and never for more than the fields.
TEST_F(KeyedServiceTest, TheFilterIsAtEveryDoor) {
  start();
  struct Case {
    std::string method;
    std::string path;
    std::string body;
  };
  for (const auto& [method, path, body] : std::vector<Case>{
           {"GET", "/v1/runs/documents", ""},
           {"GET", "/v1/runs/documents?testName=a&testName.not=b", ""},
           {"GET", "/v1/runs/documents/7", ""},
           {"GET", "/v1/runs/documents/..%2f_search", ""},
           {"GET", "/v1/runs/timelines/createdAt", ""},
           {"GET", "/v1/runs/count", ""},
           {"GET", "/v1/runs/export", ""},
           {"GET", "/v1/runs/export?format=csv", ""},
           {"POST", "/v1/runs/export", "{}"},
           {"POST", "/v1/runs/search", "{}"},
           {"POST", "/v1/runs/search",
            R"({"filter":{"or":[{"not":{"exists":{"field":"testName"}}},
                                {"exists":{"field":"testName"}}]},
                "facets":{"a":{"field":"owner.email"}}})"},
           {"POST", "/v1/runs/count", "{}"},
           {"GET", "/v1/runs/screeners/mine", ""},
           {"POST", "/v1/runs/screeners/mine", "{}"},
           {"GET", "/v1/runs/screeners/mine/count", ""},
           {"GET", "/v1/runs/screeners/mine/export", ""},
       }) {
    asked_.clear();
    const auto response = ask(kCore, method, path, body);
    EXPECT_EQ(response.status, 200) << path << response.body;
    EXPECT_THAT(response.body, Not(HasSubstr("secret"))) << path;
    ASSERT_FALSE(asked_.empty()) << path;
    for (const std::string& text : asked_) {
      const json asked = json::parse(text);
      const auto& filters = asked["query"]["bool"]["filter"];
      EXPECT_TRUE(
          std::ranges::find(filters, json::parse(R"({"term":{"owner.team":{"value":"core"}}})")) !=
          filters.end())
          << path << text;
      if (asked["size"] == 0) continue;
      EXPECT_EQ(asked["_source"].size(), 3u) << path << text;
    }
  }
}

TEST_F(KeyedServiceTest, OtherFieldsAreNotThere) {
  start();
  struct Case {
    std::string method;
    std::string path;
    std::string body;
    std::string_view names;
  };
  for (const auto& [method, path, body, names] : std::vector<Case>{
           {"GET", "/v1/runs/documents?severity=1", "", "severity"},
           {"GET", "/v1/runs/documents?sort=severity", "", "severity"},
           {"GET", "/v1/runs/documents?fields=owner", "", "owner"},
           {"GET", "/v1/runs/timelines/exact", "", "exact"},
           {"GET", "/v1/runs/export?fields=id", "", "id"},
           {"GET", "/v1/runs/count?owner.team=web", "", "owner.team"},
           {"POST", "/v1/runs/search", R"({"facets":{"a":{"field":"owner.team"}}})", "owner.team"},
       }) {
    const auto response = ask(kCore, method, path, body);
    EXPECT_EQ(response.status, 400) << path << response.body;
    EXPECT_THAT(response.body, HasSubstr(fmt::format("no field `{}` is there for", names))) << path;
  }
  EXPECT_TRUE(asked_.empty());
}

TEST_F(KeyedServiceTest, WhatStandsForADocumentThatIsNotThere) {
  empty_ = true;
  rules_.absent = R"({"testName":"none","testStatus":"unknown"})";
  start();
  const auto all = ask(kAll, "GET", "/v1/runs/documents/a%22b");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(json::parse(all.body), json::parse(R"({"id":"a\"b","found":false,
                            "source":{"testName":"none","testStatus":"unknown"}})"));
  const auto core = ask(kCore, "GET", "/v1/runs/documents/7");
  EXPECT_EQ(json::parse(core.body),
            json::parse(R"({"id":"7","found":false,"source":{"testName":"none"}})"))
      << "what a key may not see";
}

// A screener of fields that are hidden would tell what is in them; its faults, that they are there.
TEST_F(KeyedServiceTest, ScreenersOfHiddenFieldsAreNotThere) {
  start();
  for (const char* path : {"/v1/runs/screeners/by-severity", "/v1/runs/screeners/by-severity/count",
                           "/v1/runs/screeners/by-severity/export"}) {
    EXPECT_EQ(ask(kAll, "GET", path).status, 200) << path;
    asked_.clear();
    for (const char* method : {"GET", "POST"}) {
      const auto response = ask(kCore, method, path);
      EXPECT_EQ(response.status, 404) << path;
      EXPECT_EQ(response.body, ask(kCore, method, "/v1/runs/screeners/nope").body);
    }
    EXPECT_TRUE(asked_.empty()) << path;
  }
  for (const char* path : {"/v1/runs/screeners", "/openapi.json"}) {
    EXPECT_THAT(ask(kCore, "GET", path).body, Not(HasSubstr("severity"))) << path;
    EXPECT_THAT(ask(kCore, "GET", path).body, HasSubstr("mine")) << path;
    EXPECT_THAT(ask(kAll, "GET", path).body, HasSubstr("by-severity")) << path;
  }
}

// Relating by a field tells what is in it.
TEST_F(KeyedServiceTest, ARelationTakesBothItsFields) {
  relations_ = {{"orders", "orders", "testName", "code"}, {"lost", "nowhere", "testName", "code"}};
  struct Case {
    std::string_view grants;
    bool usable;
  };
  const std::vector<Case> cases = {
      {"[{name: runs, fields: [testName]}, {name: all-orders, fields: [code, total]}]", true},
      {"[{name: runs}, {name: all-orders}]", true},
      {"[{name: runs, fields: [createdAt]}, {name: all-orders}]", false},
      {"[{name: runs}, {name: all-orders, fields: [total]}]", false},
      {"[{name: runs}]", false}};
  for (size_t i = 0; i < cases.size(); ++i) {
    write(fmt::format("case{}", i),
          fmt::format("key: case-{}-0123456789ab\nindices: {}", i, cases[i].grants));
  }
  const auto known = callers();
  ASSERT_TRUE(known) << known.error().message;
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto caller = std::ranges::find(*known, fmt::format("case{}", i), &Caller::name);
    ASSERT_NE(caller, known->end());
    EXPECT_EQ(caller->rules->relations.size(), cases[i].usable ? 1u : 0u) << cases[i].grants;
  }
  const auto all = std::ranges::find(*known, "alice", &Caller::name);
  ASSERT_EQ(all->rules->relations.size(), 2u);
  EXPECT_THAT(all->rules->relations[1].problem, HasSubstr("no SearchIndex nowhere"));
}

TEST_F(KeyedServiceTest, ACursorOfOneKeyIsNoneOfAnother) {
  start();
  const auto page = ask(kAll, "GET", "/v1/runs/documents?size=1");
  const std::string cursor = json::parse(page.body)["cursor"];
  EXPECT_EQ(ask(kAll, "GET", "/v1/runs/documents?size=1&cursor=" + cursor).status, 200);
  EXPECT_EQ(ask(kCore, "GET", "/v1/runs/documents?size=1&cursor=" + cursor).status, 400);
}

TEST_F(KeyedServiceTest, WhoAsksTooOftenIsToldWhenToComeAgain) {
  start(model::RateLimitSpec{.per_second = 1, .burst = 3});
  EXPECT_EQ(ask(kSlow, "GET", "/v1/runs/fields").status, 200);
  const auto refused = ask(kSlow, "GET", "/v1/runs/fields");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("retry-after"), "1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(kAll, "GET", "/v1/runs/fields").status, 200);
  EXPECT_EQ(ask(kAll, "GET", "/v1/runs/fields").status, 429);
  // Who tries keys is held back as well.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask("guess", "GET", "/").status, 401);
  EXPECT_EQ(ask("guess", "GET", "/").status, 429);
  EXPECT_EQ(ask(kCore, "GET", "/v1/runs/fields").status, 200) << "not who has a key";
}

TEST_F(KeyedServiceTest, AKeyThatIsHalfUnderstoodServesNobody) {
  write("broken", "key: short");
  EXPECT_THAT(callers().error().message, HasSubstr("API key broken"));
  write("broken", fmt::format("key: another-0123456789\nindices: [{{name: runs, fields: [x]}}]"));
  EXPECT_THAT(callers().error().message, HasSubstr("no field `x`"));
  write("broken", fmt::format("key: {}", kAll));
  EXPECT_THAT(callers().error().message, HasSubstr("alice and broken"));
}

}  // namespace
}  // namespace searchsync::query
