#include "lib/elastic/dialect.h"

#include <gtest/gtest.h>

#include "lib/elastic/connect.h"

namespace searchsync::elastic {
namespace {

TEST(Banner, TellsTheEnginesApart) {
  const auto elasticsearch = parse_banner(
      R"({"version":{"number":"8.16.6","build_flavor":"default"},
          "tagline":"You Know, for Search"})");
  ASSERT_TRUE(elasticsearch) << elasticsearch.error().message;
  EXPECT_EQ(elasticsearch->name(), "Elasticsearch 8.16");
  const auto opensearch = parse_banner(
      R"({"version":{"distribution":"opensearch","number":"2.19.1"},
          "tagline":"The OpenSearch Project: https://opensearch.org/"})");
  ASSERT_TRUE(opensearch) << opensearch.error().message;
  EXPECT_EQ(opensearch->name(), "OpenSearch 2.19");
}

TEST(Banner, RefusesWhatCannotWork) {
  struct Case {
    std::string_view body;
    ErrorCode code;
  };
  for (const Case& c : {
           Case{"", ErrorCode::kMalformed},
           Case{"<html>", ErrorCode::kMalformed},
           Case{"{}", ErrorCode::kMalformed},
           Case{R"({"version":"8"})", ErrorCode::kMalformed},
           Case{R"({"version":{"number":"x"},"tagline":"You Know, for Search"})",
                ErrorCode::kMalformed},
           Case{R"({"version":{"number":"7.17.1"},"tagline":"You Know, for Search"})",
                ErrorCode::kUnsupported},
           Case{R"({"version":{"number":"8.11.0","build_flavor":"serverless"},
                    "tagline":"You Know, for Search"})",
                ErrorCode::kUnsupported},
           Case{R"({"version":{"number":"8.1.0"},"tagline":"something else"})",
                ErrorCode::kUnsupported},
           Case{R"({"version":{"number":"2.3.0","distribution":"opensearch"}})",
                ErrorCode::kUnsupported},
           Case{R"({"version":{"number":"7.10.2","distribution":"opensearch"}})",
                ErrorCode::kUnsupported},
       }) {
    const auto dialect = parse_banner(c.body);
    ASSERT_FALSE(dialect) << c.body;
    EXPECT_EQ(dialect.error().code, c.code) << c.body;
  }
}

TEST(Dialect, HasItsOwnPathsForPointsInTime) {
  const Dialect elasticsearch{Product::kElasticsearch, 8, 16};
  EXPECT_EQ(elasticsearch.open_point_in_time_path("runs", std::chrono::seconds(60)),
            "/runs/_pit?keep_alive=60s");
  EXPECT_EQ(elasticsearch.close_point_in_time_body("a\"b"), R"({"id":"a\"b"})");
  const Dialect opensearch{Product::kOpenSearch, 2, 19};
  EXPECT_EQ(opensearch.open_point_in_time_path("runs", std::chrono::seconds(60)),
            "/runs/_search/point_in_time?keep_alive=60s&allow_partial_pit_creation=false");
  EXPECT_EQ(opensearch.close_point_in_time_body("ab"), R"({"pit_id":["ab"]})");
}

TEST(ClientOptions, TakesEitherAKeyOrAPassword) {
  const model::ElasticsearchSpec spec{.urls = {"http://es:9200"}};
  const auto none = client_options(spec, {});
  ASSERT_TRUE(none);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(none->auth));
  const auto key = client_options(spec, {.api_key = "k"});
  EXPECT_EQ(std::get<http::ApiKeyAuth>(key.value().auth).key, "k");
  const auto password = client_options(spec, {.username = "u", .password = "p", .ca_pem = "pem"});
  EXPECT_EQ(std::get<http::BasicAuth>(password.value().auth).username, "u");
  EXPECT_EQ(password->ca_pem, "pem");
  EXPECT_FALSE(client_options(spec, {.username = "u"}));
  EXPECT_FALSE(client_options(spec, {.username = "u", .password = "p", .api_key = "k"}));
}

}  // namespace
}  // namespace searchsync::elastic
