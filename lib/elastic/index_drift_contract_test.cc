#include "lib/elastic/index_drift.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/engine_contract.h"
#include "lib/elastic/index_body.h"

namespace searchsync::elastic {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Every way to say something that an engine might answer in another way.
constexpr const char* kMappings = R"({
  "dynamic": "strict", "date_detection": false, "numeric_detection": "false",
  "dynamic_date_formats": ["yyyy-MM-dd"], "_source": {"enabled": true},
  "_routing": {"required": false}, "_meta": {"team": "qa", "numbers": [1, 2.0]},
  "dynamic_templates": [{"strings": {"match_mapping_type": "string",
                                     "mapping": {"type": "keyword", "ignore_above": "64"}}}],
  "properties": {
    "defaults": {"type": "keyword", "index": true, "doc_values": true, "store": false,
                 "norms": false, "ignore_above": 2147483647, "eager_global_ordinals": false},
    "name": {"type": "keyword", "ignore_above": "256", "null_value": "none", "copy_to": "all",
             "fields": {"text": {"type": "text", "analyzer": "folded"}}},
    "all": {"type": "text", "analyzer": "folded", "search_analyzer": "standard",
            "index_options": "offsets", "index_prefixes": {}, "term_vector": "yes",
            "position_increment_gap": 50, "similarity": "BM25", "norms": "false"},
    "plain": {"type": "text", "analyzer": "default", "index_options": "positions"},
    "count": {"type": "long", "coerce": "false", "null_value": "7"},
    "ratio": {"type": "float", "meta": {"unit": "percent"}},
    "share": {"type": "half_float", "null_value": 1},
    "at": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
    "seen": {"type": "date", "format": "yyyy-MM-dd", "null_value": "2020-01-01", "locale": "en"},
    "flag": {"type": "boolean", "null_value": "true"},
    "place": {"type": "geo_point", "ignore_malformed": true},
    "address": {"type": "ip"}, "blob": {"type": "binary"}, "span": {"type": "integer_range"},
    "suggest": {"type": "completion", "max_input_length": 40},
    "other": {"type": "alias", "path": "name"},
    "family": {"type": "join", "relations": {"parent": ["child"], "child": "grandchild"}},
    "owner": {"properties": {"name": {"type": "keyword"}, "team.name": {"type": "keyword"}}},
    "dotted.by.name": {"type": "keyword"}, "empty": {"type": "object"},
    "steps": {"type": "nested", "dynamic": false, "include_in_parent": true,
              "properties": {"id": {"type": "integer"}}},
    "open": {"type": "object", "dynamic": true, "properties": {"id": {"type": "keyword"}}},
    "opaque": {"type": "object", "enabled": false}}})";

constexpr const char* kSettings = R"({
  "index": {"max_result_window": 500, "codec": "best_compression",
            "priority": "5", "mapping.coerce": false},
  "number_of_routing_shards": 4, "index.query.default_field": ["name", "all"],
  "translog": {"durability": "async", "sync_interval": "7s"}, "search.idle.after": "10m",
  "index.mapping.total_fields.limit": "2000", "max_ngram_diff": 3,
  "similarity": {"mine": {"type": "BM25", "b": 0.50, "k1": "1.20"}},
  "analysis": {"filter": {"stopped": {"type": "stop", "stopwords": ["a", "b"]}},
               "analyzer": {"folded": {"type": "custom", "tokenizer": "standard",
                                       "filter": ["lowercase", "stopped"]},
                            "lone": {"tokenizer": "keyword", "filter": "lowercase"}}}})";

// That what an engine makes of a declaration is no drift, and what somebody changes is.
class IndexDriftContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    if (!admin_) return;
    name_ = IndexName(own_name("drift"));
    model::SearchIndex index;
    index.metadata = {.name = "runs", .namespace_ = "qa"};
    index.spec.replicas = 0;
    index.spec.mappings.text = kMappings;
    index.spec.settings = model::JsonText{kSettings};
    const auto body = index_body(index, name_, Generation(2), "log-a");
    ASSERT_TRUE(body) << body.error().message;
    body_ = *body;
    const auto created = admin_->create_index(name_, body_);
    ASSERT_TRUE(created) << created.error().message;
  }

  void TearDown() override {
    if (!admin_) return;
    EXPECT_TRUE(admin_->delete_index(name_));
  }

  std::vector<std::string> drift() {
    const auto state = admin_->get_index(name_.get());
    EXPECT_TRUE(state) << state.error().message;
    return index_drift(body_, *state);
  }

  void map(const std::string& mappings) {
    const auto done = admin_->update_mappings(name_, mappings);
    EXPECT_TRUE(done) << mappings << ": " << done.error().message;
  }

  IndexName name_;
  std::string body_;
};

TEST_F(IndexDriftContract, ThereIsNoneInWhatWasJustMade) {
  EXPECT_THAT(drift(), IsEmpty());
  map(R"({"properties":{"open":{"properties":{"new":{"type":"long"}}}}})");
  EXPECT_THAT(drift(), IsEmpty()) << "a document may have brought it";
}

TEST_F(IndexDriftContract, WhatSomebodyChangesIsFound) {
  map(R"({"properties":{"extra":{"properties":{"deep":{"type":"long"}}}}})");
  EXPECT_THAT(drift(), ElementsAre("field extra is not declared"));
  map(R"({"properties":{"owner":{"properties":{"new":{"type":"long"}}},
                        "at":{"type":"date","fields":{"text":{"type":"text"}}},
                        "all":{"type":"text","analyzer":"folded","search_analyzer":"whitespace",
                               "index_options":"offsets","index_prefixes":{},"term_vector":"yes",
                               "position_increment_gap":50,"similarity":"BM25","norms":false}}})");
  EXPECT_THAT(drift(), ElementsAre("field all: search_analyzer is whitespace, not standard",
                                   "field at.text is not declared", "field extra is not declared",
                                   "field owner.new is not declared"));
  map(R"({"dynamic":"true"})");
  map(R"({"_meta":{"team":"ops"}})");
  const auto set = admin_->update_settings(name_, R"({"index.max_result_window":10})");
  ASSERT_TRUE(set) << set.error().message;
  const auto found = drift();
  EXPECT_THAT(found, testing::Contains("_meta was changed"));
  EXPECT_THAT(found, testing::Contains("dynamic is true, not strict"));
  EXPECT_EQ(found.back(), "setting index.max_result_window is 10, not 500");
}

}  // namespace
}  // namespace searchsync::elastic
