#include "query/run/exporter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// An engine with a point in time over `documents` documents. Faults: it answers the pages in
// `failures` with their statuses, once each; it loses the point in time after `lost_after` pages;
// it holds all pages but first ones until released.
class FakeEngine {
 public:
  FakeEngine() {
    using enum http::Method;
    server_.route(kGet, "/", [](const http::Request&) {
      return http::Response{
          .body = R"({"version":{"number":"8.16.6"},"tagline":"You Know, for Search"})"};
    });
    server_.route(kPost, "/runs/_pit", [this](const http::Request&) {
      ++opened;
      return http::Response{.body = R"({"id":"p0"})"};
    });
    server_.route(kDelete, "/_pit", [this](const http::Request& request) {
      const std::lock_guard lock(mutex_);
      closed = json::parse(request.body)["id"];
      return http::Response{.body = "{}"};
    });
    server_.route(kPost, "/_search",
                  [this](const http::Request& request) { return page(json::parse(request.body)); });
    EXPECT_TRUE(server_.start());
  }

  std::string url() const { return "http://" + server_.address(); }

  // Set while nothing is under way.
  int documents = 1000;
  std::map<int, int> failures;
  int lost_after = INT_MAX;
  std::optional<std::shared_future<void>> release;

  std::atomic<int> opened{0};
  std::atomic<int> pages{0};
  std::atomic<int> held{0};
  std::string last_closed() {
    const std::lock_guard lock(mutex_);
    return closed;
  }

 private:
  http::Response page(const json& body) {
    const int number = ++pages;
    if (release && body.contains("search_after")) {
      ++held;
      release->wait();
    }
    if (number > lost_after) return {.status = 404, .body = "{}"};
    if (const auto failure = failures.find(number); failure != failures.end()) {
      return {.status = failure->second, .body = "{}"};
    }
    const int first = body.contains("search_after") ? body["search_after"][0].get<int>() + 1 : 0;
    json hits = json::array();
    for (int i = first; i < std::min(documents, first + body["size"].get<int>()); ++i) {
      hits.push_back({{"_id", std::to_string(i)}, {"_source", {{"id", i}}}, {"sort", {i}}});
    }
    return {.body = json{{"took", 1},
                         {"timed_out", false},
                         {"_shards", {{"failed", 0}}},
                         {"pit_id", fmt::format("p{}", number)},
                         {"hits", {{"hits", hits}}}}
                        .dump()};
  }

  std::mutex mutex_;
  std::string closed;  // guarded by mutex_
  http::Server server_{{.threads = 16}};
};

class ExporterTest : public testing::Test {
 protected:
  ExporterTest() {
    exporter_.add_routes(server_);
    EXPECT_TRUE(server_.start());
    client_ = http::Client::create({.base_urls = {"http://" + server_.address()}}).value();
  }

  Result<http::ClientResponse> get(std::string_view parameters) {
    return client_->request({.path = fmt::format("/v1/runs/export?{}", parameters)});
  }

  static int64_t lines(const std::string& text) { return std::ranges::count(text, '\n'); }

  FakeEngine engine_;
  metrics::Registry registry_;
  const std::unique_ptr<http::Client> to_engine_ =
      http::Client::create({.base_urls = {engine_.url()}}).value();
  Door door_{
      {.index = "runs",
       .rules = {.catalog = FieldCatalog::create(test_mappings(), {}).value(), .tiebreak = {"id"}},
       .timeout = std::chrono::seconds(5)},
      registry_};
  Engine to_{*to_engine_, registry_};
  Exporter exporter_{door_, to_, registry_};
  http::Server server_{{.threads = 12}};
  std::unique_ptr<http::Client> client_;
};

TEST_F(ExporterTest, EveryDocumentOnceInPagesThatGrow) {
  const auto response = get("");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("content-type"), "application/x-ndjson");
  EXPECT_EQ(response->header("transfer-encoding"), "chunked");
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    expected += fmt::format("{{\"id\":\"{}\",\"source\":{{\"id\":{}}}}}\n", i, i);
  }
  EXPECT_EQ(response->body, expected);
  EXPECT_EQ(engine_.pages, 3);  // 200, 800, and one to see that it was the last
  EXPECT_EQ(engine_.last_closed(), "p3");
  EXPECT_THAT(registry_.render(),
              HasSubstr(R"(searchsync_query_exports_total{result="complete"} 1)"));
}

TEST_F(ExporterTest, CsvHasAHeaderAndALimitIsKept) {
  const auto response = get("format=csv&fields=id&limit=2");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "_id,id\r\n0,0\r\n1,1\r\n");
  EXPECT_THAT(std::string(response->header("content-type")), HasSubstr("text/csv"));
  EXPECT_EQ(engine_.pages, 1);
  EXPECT_EQ(lines(get("limit=201")->body), 201);
  engine_.documents = 0;
  EXPECT_EQ(get("format=csv&fields=id")->body, "_id,id\r\n");
  EXPECT_EQ(get("")->body, "");
}

TEST_F(ExporterTest, WhatFailsBeforeTheFirstPageHasAStatus) {
  engine_.failures = {{1, 503}, {2, 400}};
  EXPECT_EQ(get("")->status, 503);
  EXPECT_EQ(get("")->status, 400);
  EXPECT_EQ(get("limit=x")->status, 400);
  EXPECT_EQ(get("nope=x")->status, 400);
  EXPECT_EQ(lines(get("")->body), 1000);
}

TEST_F(ExporterTest, APassingFaultIsWaitedOut) {
  engine_.failures = {{2, 429}, {3, 503}};
  const auto response = get("");
  ASSERT_TRUE(response);
  EXPECT_EQ(lines(response->body), 1000);
  EXPECT_EQ(engine_.pages, 5);
}

TEST_F(ExporterTest, AFaultInTheMiddleIsSeenByTheClient) {
  engine_.lost_after = 1;
  const auto response = get("");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable) << response.error().message;
  EXPECT_THAT(registry_.render(),
              HasSubstr(R"(searchsync_query_exports_total{result="broken"} 1)"));
  engine_.lost_after = INT_MAX;
  EXPECT_TRUE(get(""));  // the service stays up
}

TEST_F(ExporterTest, SoManyAtOnceAndNoneIsWaitedForWhenItStops) {
  std::promise<void> release;
  engine_.release = release.get_future().share();
  std::vector<std::future<Result<http::ClientResponse>>> running;
  for (int i = 0; i < Exporter::kExportsMax; ++i) {
    running.push_back(std::async(std::launch::async, [this] { return get(""); }));
  }
  while (engine_.held < Exporter::kExportsMax) std::this_thread::yield();
  const auto refused = get("");
  EXPECT_EQ(refused->status, 503);
  EXPECT_THAT(refused->body, HasSubstr("too_many_exports"));
  EXPECT_EQ(refused->header("retry-after"), "5");
  exporter_.stop(std::chrono::milliseconds(0));
  release.set_value();
  for (auto& one : running) EXPECT_FALSE(one.get()) << "it was stopped, and must not look whole";
  EXPECT_EQ(engine_.opened, Exporter::kExportsMax);
}

TEST_F(ExporterTest, AHeadAsksForNothingMore) {
  const auto response = client_->request({.method = "HEAD", .path = "/v1/runs/export"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "");
  EXPECT_TRUE(get(""));
}

}  // namespace
}  // namespace searchsync::query
