#pragma once

// For tests: the service as users meet it, over a real engine with kDocuments documents.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"
#include "lib/elastic/engine_contract.h"
#include "lib/elastic/index_body.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "query/run/exporter.h"
#include "query/run/fake_freshness.h"
#include "query/run/service.h"
#include "query/test_mappings.h"

namespace searchsync::query {

inline constexpr int kDocuments = 30;

class ServiceContract : public elastic::EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    if (!admin_) return;
    alias_ = own_name("service");
    index_ = IndexName(alias_ + "-1");
    fill();
    start(*engine_);
  }

  void TearDown() override {
    if (!admin_) return;
    EXPECT_TRUE(admin_->delete_index(index_));
  }

  void start(http::Client& engine) {
    door_.emplace(Door::Options{.index = alias_,
                                .rules = {.catalog = catalog_,
                                          .tiebreak = {"id"},
                                          .page_size_max = 100,
                                          .relations = {{.name = "self",
                                                         .index = alias_,
                                                         .from = "severity",
                                                         .to = "id",
                                                         .catalog = catalog_}},
                                          .related_keys_max = 10}},
                  registry_);
    to_.emplace(engine, registry_);
    service_.emplace(*door_, *to_, freshness_, mappings());
    exporter_.emplace(*door_, *to_, registry_);
    server_.emplace(http::Server::Options{.threads = 4, .body_bytes_max = kBodyBytesMax});
    service_->add_routes(*server_);
    exporter_->add_routes(*server_);
    ASSERT_TRUE(server_->start());
    client_ = http::Client::create({.base_urls = {"http://" + server_->address()}}).value();
  }

  static model::JsonText mappings() {
    nlohmann::json all = nlohmann::json::parse(test_mappings().text);
    all["properties"].erase("big");
    return {all.dump()};
  }

  // Two shards, so that what holds only within one shows.
  void fill() {
    model::SearchIndex index;
    index.metadata.name = "runs";
    index.spec.index_name = alias_;
    index.spec.shards = 2;
    index.spec.replicas = 0;
    index.spec.mappings = mappings();
    const auto body = elastic::index_body(index, index_, Generation(1), "log");
    const auto created = admin_->create_index(index_, body.value());
    ASSERT_TRUE(created) << created.error().message;
    std::string operations;
    for (int i = 0; i < kDocuments; ++i) {
      nlohmann::json document = {{"id", i},
                                 {"testName", i % 3 == 0 ? "auth_login" : "billing"},
                                 {"title", i % 2 == 0 ? "user cannot log in" : "invoice is late"},
                                 {"severity", i % 4},
                                 {"passed", i % 5 == 0},
                                 {"host", fmt::format("10.0.{}.1", i)},
                                 {"owner", {{"email", fmt::format("u{}@x", i % 4)}}}};
      if (i % 3 != 0) document["createdAt"] = fmt::format("2024-01-{:02}T00:00:00.5Z", i % 7 + 1);
      if (i % 4 != 0) document["coverage"] = i / 8.0;
      if (i == 4) document["exact"] = "2024-01-15T10:30:00.123456789Z";
      if (i % 2 == 0) document["owner"]["team"] = "core";
      document["bugs"] =
          nlohmann::json::array({{{"id", "B1"}, {"status", i < 10 ? "OPEN" : "CLOSED"}},
                                 {{"id", "B2"}, {"status", "OPEN"}}});
      elastic::append_index(operations, std::to_string(i), 1, document.dump());
    }
    const auto written = engine_->request(
        elastic::bulk_request(index_, std::move(operations), std::chrono::seconds(30)));
    ASSERT_TRUE(written) << written.error().message;
    const auto outcomes = elastic::parse_bulk_response(written->status, written->body, kDocuments);
    ASSERT_TRUE(outcomes) << outcomes.error().message;
    for (const elastic::ItemOutcome& outcome : *outcomes) {
      ASSERT_EQ(outcome.outcome, elastic::Outcome::kApplied) << outcome.reason;
    }
    ASSERT_TRUE(admin_->refresh(index_.get()));
    ASSERT_TRUE(admin_->swap_alias(alias_, {}, index_));
  }

  http::ClientResponse post(std::string_view verb, std::string_view body) {
    auto response = client_->request({.method = "POST",
                                      .path = fmt::format("/v1/{}/{}", alias_, verb),
                                      .headers = {{"Content-Type", "application/json"}},
                                      .body = std::string(body)});
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  http::ClientResponse get(std::string_view path) {
    auto response = client_->request({.path = fmt::format("/v1/{}/{}", alias_, path)});
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  nlohmann::json search(const nlohmann::json& request) {
    const auto response = post("search", request.dump());
    EXPECT_EQ(response.status, 200) << request << response.body;
    return nlohmann::json::parse(response.body);
  }

  int64_t count(std::string_view filter) {
    const auto response = post("count", fmt::format(R"({{"filter":{}}})", filter));
    EXPECT_EQ(response.status, 200) << filter << response.body;
    return response.status == 200 ? nlohmann::json::parse(response.body)["count"].get<int64_t>()
                                  : -1;
  }

  const FieldCatalog catalog_ = FieldCatalog::create(mappings(), {}).value();
  metrics::Registry registry_;
  std::string alias_;
  IndexName index_;
  std::optional<Door> door_;
  std::optional<Engine> to_;
  FakeFreshness freshness_;
  std::optional<Service> service_;
  std::optional<Exporter> exporter_;
  std::optional<http::Server> server_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace searchsync::query
