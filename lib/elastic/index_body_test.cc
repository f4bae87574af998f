#include "lib/elastic/index_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::elastic {
namespace {

using nlohmann::json;
using testing::HasSubstr;

model::SearchIndex index_with(std::string mappings, std::optional<std::string> settings) {
  model::SearchIndex index;
  index.metadata = {.name = "runs", .namespace_ = "qa"};
  index.spec.index_name = "test-runs";
  index.spec.shards = 2;
  index.spec.replicas = 0;
  index.spec.mappings.text = std::move(mappings);
  if (settings) index.spec.settings = model::JsonText{std::move(*settings)};
  return index;
}

Result<std::string> body_of(std::string mappings, std::optional<std::string> settings = {}) {
  return index_body(index_with(std::move(mappings), std::move(settings)),
                    IndexName("test-runs-1a2b3c4d"), Generation(3), "log-1");
}

TEST(IndexBody, HasMappingsSettingsMetaAndTheWriteAlias) {
  const auto body = body_of(R"({"dynamic":"strict","_meta":{"team":"qa"},
                                "properties":{"a":{"type":"keyword"}}})");
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(json::parse(*body), json::parse(R"({
    "settings": {"index.number_of_shards": 2, "index.number_of_replicas": 0,
                 "index.refresh_interval": "-1", "index.gc_deletes": "1h"},
    "mappings": {"dynamic": "strict", "properties": {"a": {"type": "keyword"}},
                 "_meta": {"team": "qa", "searchsync": {
                   "generation": 3, "documentLog": "log-1", "index": "qa/runs"}}},
    "aliases": {"test-runs-1a2b3c4d.Write": {"is_hidden": true}}})"));
}

TEST(IndexBody, APartitionSaysOfWhich) {
  const auto whole = body_of("{}");
  const auto body = partition_body(index_with("{}", {}), IndexName("test-runs-1a2b3c4d-2026-11-29"),
                                   IndexName("test-runs-1a2b3c4d"), Generation(3), "log-1");
  ASSERT_TRUE(whole && body);
  json expected = json::parse(*whole);
  expected["mappings"]["_meta"]["searchsync"]["partitionOf"] = "test-runs-1a2b3c4d";
  expected["aliases"] = {{"test-runs-1a2b3c4d-2026-11-29.Write", {{"is_hidden", true}}}};
  EXPECT_EQ(json::parse(*body), expected);
}

TEST(IndexBody, MergesTheUsersSettingsInEveryForm) {
  const auto body = body_of("{}", R"({"index":{"codec":"best_compression"},"index.sort.field":["a"],
      "analysis":{"analyzer":{"x":{"type":"custom","filter":["lowercase"]}}}})");
  ASSERT_TRUE(body) << body.error().message;
  const json settings = json::parse(*body)["settings"];
  EXPECT_EQ(settings["index.codec"], "best_compression");
  EXPECT_EQ(settings["index.sort.field"], json::array({"a"}));
  EXPECT_EQ(settings["index.analysis.analyzer.x.type"], "custom");
  EXPECT_EQ(settings["index.analysis.analyzer.x.filter"], json::array({"lowercase"}));
}

TEST(IndexBody, RefusesTheUsersSettingsThatAreOurs) {
  for (const auto& [settings, name] : std::vector<std::pair<std::string, std::string>>{
           {R"({"number_of_shards":3})", "index.number_of_shards"},
           {R"({"index":{"number_of_replicas":3}})", "index.number_of_replicas"},
           {R"({"index.refresh_interval":"1s"})", "index.refresh_interval"},
           {R"({"index":{"gc_deletes":"1s"}})", "index.gc_deletes"}}) {
    const auto body = body_of("{}", settings);
    ASSERT_FALSE(body) << settings;
    EXPECT_EQ(body.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(body.error().message, HasSubstr(name));
  }
}

TEST(IndexBody, RefusesWhatIsNoObject) {
  EXPECT_FALSE(body_of("[]"));
  EXPECT_FALSE(body_of("{"));
  EXPECT_FALSE(body_of("{}", "7"));
  EXPECT_FALSE(body_of(R"({"_meta":7})"));
  EXPECT_FALSE(body_of(R"({"_meta":{"searchsync":{}}})"));
}

}  // namespace
}  // namespace searchsync::elastic
