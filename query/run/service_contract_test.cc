#include "query/run/service_contract.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "lib/model/role_config.h"
#include "query/run/query_main.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ServiceContract, EveryOperatorFindsWhatItSays) {
  struct Case {
    std::string_view filter;
    int64_t count;
  };
  for (const auto& [filter, expected] : std::vector<Case>{
           {R"({"equals":{"field":"testName","value":"auth_login"}})", 10},
           {R"({"equals":{"field":"id","value":7}})", 1},
           {R"({"equals":{"field":"passed","value":true}})", 6},
           {R"({"equals":{"field":"coverage","value":0.125}})", 1},
           {R"({"equals":{"field":"createdAt","value":"2024-01-02T00:00:00.5Z"}})", 4},
           {R"({"equals":{"field":"host","value":"10.0.7.0/24"}})", 1},
           {R"({"equals":{"field":"who","value":"u1@x"}})", 8},
           {R"({"in":{"field":"id","values":[1,2,3,99]}})", 3},
           {R"({"exists":{"field":"owner.team"}})", 15},
           {R"({"exists":{"field":"owner"}})", 30},
           {R"({"exists":{"field":"bugs"}})", 30},
           {R"({"exists":{"field":"title"}})", 30},
           {R"({"not":{"exists":{"field":"createdAt"}}})", 10},
           {R"({"range":{"field":"id","gte":5,"lt":10}})", 5},
           {R"({"range":{"field":"id","gt":4.5,"lte":10}})", 6},
           {R"({"range":{"field":"createdAt","gte":"2024-01-01","lte":"now-30d/d"}})", 20},
           {R"({"range":{"field":"createdAt","gte":"2024-01-01||+6d/d"}})", 2},
           {R"({"prefix":{"field":"testName","value":"auth_"}})", 10},
           {R"({"text":{"field":"title","query":"LOG user"}})", 15},
           {R"({"text":{"field":"title","query":"user invoice"}})", 0},
           {R"({"and":[{"equals":{"field":"testName","value":"auth_login"}},
                       {"or":[{"equals":{"field":"severity","value":0}},
                              {"not":{"exists":{"field":"owner.team"}}}]}]})",
            8},
           {R"({"and":[{"equals":{"field":"bugs.id","value":"B1"}},
                       {"equals":{"field":"bugs.status","value":"OPEN"}}]})",
            30},
           {R"({"nested":{"path":"bugs","filter":{"and":[
                {"equals":{"field":"bugs.id","value":"B1"}},
                {"equals":{"field":"bugs.status","value":"OPEN"}}]}}})",
            10},
       }) {
    EXPECT_EQ(count(filter), expected) << filter;
  }
}

TEST_F(ServiceContract, PagesHaveEveryDocumentOnceInOrder) {
  for (const json& sort :
       {json::array(), json::parse(R"([{"field":"testName"}])"),
        json::parse(R"([{"field":"createdAt","order":"desc"}])"),
        json::parse(R"([{"field":"createdAt"}])"),
        json::parse(R"([{"field":"coverage","order":"desc"}])"),
        json::parse(R"([{"field":"coverage"}])"),
        json::parse(R"([{"field":"owner.team"},{"field":"severity"}])"),
        json::parse(R"([{"field":"owner.team","order":"desc"}])"),
        json::parse(R"([{"field":"passed","order":"desc"}])"),
        json::parse(R"([{"field":"host","order":"desc"}])"),
        // Of these no document has a value, or one of one shard alone.
        json::parse(R"([{"field":"built"}])"), json::parse(R"([{"field":"built","order":"desc"}])"),
        json::parse(R"([{"field":"exact"}])"), json::parse(R"([{"field":"exact","order":"desc"}])"),
        json::parse(R"([{"field":"bugs.status","order":"desc"}])")}) {
    const json whole = search({{"sort", sort}, {"size", 100}});
    ASSERT_EQ(whole["hits"].size(), size_t{kDocuments});
    EXPECT_FALSE(whole.contains("cursor"));
    std::vector<std::string> all;
    for (const auto& hit : whole["hits"]) all.push_back(hit["id"]);
    for (const int size : {1, 7, 30}) {
      std::vector<std::string> seen;
      json request = {{"sort", sort}, {"size", size}};
      while (seen.size() <= size_t{kDocuments}) {
        const json page = search(request);
        for (const auto& hit : page["hits"]) seen.push_back(hit["id"]);
        if (!page.contains("cursor")) break;
        request["cursor"] = page["cursor"];
      }
      EXPECT_EQ(seen, all) << sort << " by " << size;
    }
  }
}

TEST_F(ServiceContract, AnswersWithTotalFacetsAndFields) {
  const json answer = search(json::parse(R"({
      "filter": {"equals": {"field": "testName", "value": "auth_login"}}, "size": 2,
      "facets": {"severity": {"field": "severity"}, "passed": {"field": "passed"},
                 "bug": {"field": "bugs.status"}, "day": {"field": "createdAt"},
                 "owner": {"field": "owner.email", "size": 1}},
      "fields": ["id", "owner.email"]})"));
  EXPECT_EQ(answer["total"], json::parse(R"({"value":10,"relation":"eq"})"));
  EXPECT_EQ(answer["hits"][0],
            json::parse(R"({"id":"0","source":{"id":0,"owner":{"email":"u0@x"}}})"));
  EXPECT_EQ(answer["facets"]["passed"]["buckets"],
            json::parse(R"([{"value":false,"count":8},{"value":true,"count":2}])"));
  EXPECT_EQ(answer["facets"]["bug"]["buckets"],
            json::parse(R"([{"value":"OPEN","count":10},{"value":"CLOSED","count":6}])"));
  EXPECT_EQ(answer["facets"]["owner"]["buckets"].size(), 1u);
  EXPECT_EQ(answer["facets"]["owner"]["otherCount"], 7);
  EXPECT_EQ(answer["facets"]["day"]["buckets"].size(), 0u);
  EXPECT_TRUE(answer.contains("tookMs"));
  EXPECT_TRUE(answer.contains("engineTookMs"));
  EXPECT_EQ(
      search({{"size", 0},
              {"facets", {{"d", {{"field", "createdAt"}}}}}})["facets"]["d"]["buckets"][0]["value"]
          .get<std::string>()
          .substr(0, 8),
      "2024-01-");
  EXPECT_FALSE(search({{"size", 1}, {"fields", json::array()}})["hits"][0].contains("source"));
}

TEST_F(ServiceContract, GetsDocumentsById) {
  const auto get = [&](std::string_view id) {
    return client_->request({.path = fmt::format("/v1/{}/documents/{}", alias_, id)}).value();
  };
  const auto found = get("7");
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_EQ(json::parse(found.body)["source"]["host"], "10.0.7.1");
  EXPECT_EQ(get("77").status, 404);
  EXPECT_THAT(get("77").body, HasSubstr("no_such_document"));
  EXPECT_EQ(get("a%20b").status, 404);
  EXPECT_EQ(get("..").status, 404);
  const auto fields = client_->request({.path = fmt::format("/v1/{}/fields", alias_)}).value();
  EXPECT_EQ(fields.status, 200);
  EXPECT_EQ(json::parse(fields.body)["index"], alias_);
  const auto other = client_->request({.path = "/v1/other/fields"}).value();
  EXPECT_EQ(other.status, 404);
  EXPECT_THAT(other.body, HasSubstr("unknown_index"));
}

TEST_F(ServiceContract, WhatOnlyTheEngineCanJudgeIsTheCallersFault) {
  const auto response =
      post("search", R"({"filter":{"equals":{"field":"built","value":"not a day"}}})");
  EXPECT_EQ(response.status, 400) << response.body;
  EXPECT_THAT(response.body, HasSubstr("engine_refused"));
  const auto faults = post("search", R"({"filter":{"equals":{"field":"nope","value":1}}})");
  EXPECT_EQ(faults.status, 400);
  EXPECT_THAT(faults.body, HasSubstr("filter.equals.field"));
  EXPECT_EQ(post("search", std::string(kBodyBytesMax + 1, ' ')).status, 413);
}

TEST_F(ServiceContract, AnEngineWithoutTheIndexIsAway) {
  ASSERT_TRUE(admin_->delete_index(index_));
  const auto response = post("search", "{}");
  EXPECT_EQ(response.status, 503) << response.body;
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_EQ(client_->request({.path = fmt::format("/v1/{}/documents/1", alias_)})->status, 503);
}

// The whole role, from its config file.
TEST_F(ServiceContract, TheRoleServesUntilStopped) {
  model::PipelineConfig config;
  config.index.metadata.name = "runs";
  config.index.spec.index_name = alias_;
  config.index.spec.elasticsearch.urls = {std::getenv("SEARCHSYNC_TEST_SEARCH")};
  config.index.spec.kafka.bootstrap_servers = {"127.0.0.1:1"};
  config.index.spec.mappings = mappings();
  model::SourceBinding root;
  root.metadata.name = "runs-root";
  root.spec.index_ref = "runs";
  root.spec.source = model::KafkaSource{.topic = "runs"};
  root.spec.key = {"run"};
  root.spec.relation = model::RootRelation{};
  root.spec.fields = {{.from = "run", .to = "id"}};
  config.bindings = {root};
  config.generation = Generation(1);
  config.generation_index = index_;
  config.document_log = "log";
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / alias_;
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << model::to_json(config);

  std::promise<Result<void>> ended;
  std::jthread role([&](const std::stop_token& stop) {
    ended.set_value(run_query(
        {.config = folder / "config.json", .secrets = {}, .address_file = folder / "address"},
        stop));
  });
  auto end = ended.get_future();
  std::string address;
  while (address.empty() &&
         end.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) {
    std::ifstream(folder / "address") >> address;
  }
  ASSERT_FALSE(address.empty()) << end.get().error().message;
  const auto client = http::Client::create({.base_urls = {"http://" + address}}).value();
  const auto found = client->request({.method = "POST",
                                      .path = fmt::format("/v1/{}/search", alias_),
                                      .headers = {},
                                      .body = R"({"size":1,"filter":{"exists":{"field":"id"}}})"});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->status, 200) << found->body;
  EXPECT_TRUE(json::parse(found->body).contains("cursor"));
  EXPECT_EQ(client->request({.path = "/healthz"})->status, 200);
  role.request_stop();
  const auto result = end.get();
  EXPECT_TRUE(result) << result.error().message;
  std::filesystem::remove_all(folder);
}

TEST_F(ServiceContract, RequestsAreCounted) {
  post("search", "{}");
  post("search", "{");
  const std::string text = registry_.render();
  EXPECT_THAT(text,
              HasSubstr(R"(searchsync_query_requests_total{endpoint="search",status="200"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(searchsync_query_requests_total{endpoint="search",status="400"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(searchsync_query_duration_seconds_count{endpoint="search"} 2)"));
  EXPECT_THAT(text, HasSubstr("searchsync_query_engine_duration_seconds_count 1"));
}

}  // namespace
}  // namespace searchsync::query
