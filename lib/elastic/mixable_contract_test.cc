#include "lib/elastic/mixable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"
#include "lib/elastic/engine_contract.h"
#include "lib/elastic/index_body.h"
#include "lib/elastic/index_drift.h"

namespace searchsync::elastic {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBefore = R"({"dynamic": "strict", "properties": {
  "at": {"type": "date"}, "gone": {"type": "long"},
  "name": {"type": "keyword", "ignore_above": 100},
  "shop": {"properties": {"id": {"type": "keyword"}}}}})";
constexpr const char* kNow = R"({"dynamic": "strict", "properties": {
  "at": {"type": "date"}, "name": {"type": "keyword", "ignore_above": 100},
  "shop": {"properties": {"id": {"type": "keyword"}, "owner.id": {"type": "keyword"}}},
  "user": {"type": "keyword"}}})";

// That partitions of two recipes take the documents of both, and are searched as one.
class MixableContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    if (!admin_) return;
    prefix_ = own_name("mixed");
    older_ = make("a", kBefore, "");
    newer_ = make("b", kNow, R"({"index":{"sort.field":"at","codec":"best_compression"}})");
  }
  void TearDown() override {
    if (admin_) {
      ASSERT_TRUE(admin_->delete_indices({older_, newer_}));
    }
  }

  model::SearchIndex declared(const char* mappings, const char* settings) const {
    model::SearchIndex index;
    index.metadata.name = "mixed";
    index.spec.replicas = 0;
    index.spec.mappings.text = mappings;
    if (*settings != '\0') index.spec.settings = model::JsonText{settings};
    return index;
  }

  IndexName make(const char* suffix, const char* mappings, const char* settings) {
    const IndexName name(fmt::format("{}-{}", prefix_, suffix));
    const auto body = index_body(declared(mappings, settings), name, Generation(1), "log");
    EXPECT_TRUE(body);
    const auto made = admin_->create_index(name, *body);
    EXPECT_TRUE(made) << made.error().message;
    return name;
  }

  // Of a document of one field.
  ItemOutcome write(const IndexName& index, const char* id, const char* document) {
    std::string body;
    append_index(body, id, 1, document);
    const auto response =
        engine_->request(bulk_request(index, std::move(body), std::chrono::seconds(30)));
    EXPECT_TRUE(response);
    return parse_bulk_response(response->status, response->body, 1).value().front();
  }

  std::string mappings(const IndexName& index) { return admin_->get_index(index.get())->mappings; }

  // The ids that are found, in order.
  std::vector<std::string> search(const std::string& body) {
    EXPECT_TRUE(admin_->refresh(prefix_ + "-*"));
    const auto answer = admin_->search(prefix_ + "-*", body, std::chrono::seconds(30));
    EXPECT_TRUE(answer) << answer.error().message;
    std::vector<std::string> ids;
    if (!answer) return ids;
    const auto parsed = nlohmann::json::parse(*answer);
    for (const auto& hit : parsed["hits"]["hits"]) ids.push_back(hit["_id"]);
    return ids;
  }

  std::string prefix_;
  IndexName older_;
  IndexName newer_;
};

TEST_F(MixableContract, AnOlderOneRefusesANewFieldUntilItHasIt) {
  const auto refused = write(older_, "1", R"({"user":"bob"})");
  EXPECT_EQ(refused.outcome, Outcome::kRejected);
  EXPECT_THAT(refused.reason, HasSubstr("strict_dynamic_mapping_exception"));
  EXPECT_EQ(write(newer_, "2", R"({"gone":1})").outcome, Outcome::kRejected);
  EXPECT_THAT(new_fields(mappings(older_), kNow).missing,
              ElementsAre("shop.owner", "shop.owner.id", "user"));
  const IndexName dropped(prefix_ + "-dropped");
  ASSERT_TRUE(admin_->update_mappings(std::vector{older_, dropped, newer_}, added_fields(kNow)));
  EXPECT_THAT(new_fields(mappings(older_), kNow).missing, IsEmpty());
  EXPECT_EQ(write(older_, "1", R"({"user":"bob","shop":{"owner":{"id":"o"}}})").outcome,
            Outcome::kApplied);
  EXPECT_EQ(write(older_, "3", R"({"other":1})").outcome, Outcome::kRejected) << "still strict";
  const auto response =
      engine_->request(add_fields_request(newer_, added_fields(kBefore), std::chrono::seconds(30)));
  ASSERT_TRUE(response);
  EXPECT_EQ(add_fields_failure(response->status, response->body), std::nullopt);
  EXPECT_EQ(write(newer_, "2", R"({"gone":1})").outcome, Outcome::kApplied);
}

TEST_F(MixableContract, BothAreSearchedAsOne) {
  ASSERT_TRUE(admin_->update_mappings(std::vector{older_}, added_fields(kNow)));
  EXPECT_EQ(write(older_, "1", R"({"name":"a","gone":1})").outcome, Outcome::kApplied);
  EXPECT_EQ(write(older_, "2", R"({"name":"b","user":"bob"})").outcome, Outcome::kApplied);
  EXPECT_EQ(write(newer_, "3", R"({"name":"c","user":"ann"})").outcome, Outcome::kApplied);
  EXPECT_THAT(search(R"({"sort":[{"user":{"order":"asc","missing":"_last"}}]})"),
              ElementsAre("3", "2", "1"));
  EXPECT_THAT(search(R"({"query":{"exists":{"field":"user"}},"sort":["name"]})"),
              ElementsAre("2", "3"));
}

// Of an index that was made a moment ago by somebody who does not know the field.
TEST_F(MixableContract, ASortByWhatOneDoesNotHaveNeedsItsType) {
  EXPECT_EQ(write(older_, "1", R"({"name":"a"})").outcome, Outcome::kApplied);
  EXPECT_EQ(write(newer_, "2", R"({"user":"bob"})").outcome, Outcome::kApplied);
  ASSERT_TRUE(admin_->refresh(prefix_ + "-*"));
  const auto search_all = [&](const char* body) {
    return admin_->search(prefix_ + "-*", body, std::chrono::seconds(30)).has_value();
  };
  EXPECT_FALSE(search_all(R"({"sort":["user"]})"));
  EXPECT_FALSE(search_all(R"({"query":{"nested":{"path":"steps","query":{"match_all":{}}}}})"));
  EXPECT_THAT(search(R"({"sort":[{"user":{"order":"asc","unmapped_type":"keyword"}}]})"),
              ElementsAre("2", "1"));
}

TEST_F(MixableContract, WhatCannotBeAddedIsRefusedForAll) {
  const char* other = R"({"properties":{"gone":{"type":"keyword"},"more":{"type":"date"}}})";
  const auto added = admin_->update_mappings(std::vector{newer_, older_}, other);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(new_fields(mappings(newer_), other).missing, ElementsAre("gone", "more"));
  EXPECT_EQ(new_fields(mappings(older_), other).conflict,
            "field gone is there as long, not as keyword");
  const auto response =
      engine_->request(add_fields_request(older_, other, std::chrono::seconds(30)));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
}

TEST_F(MixableContract, WhatFormerRecipesLeftIsNoDrift) {
  ASSERT_TRUE(admin_->update_mappings(std::vector{older_}, added_fields(kNow)));
  const auto body = index_body(declared(kNow, R"({"index.codec":"best_compression"})"), older_,
                               Generation(1), "log");
  const auto state = admin_->get_index(older_.get());
  EXPECT_THAT(index_drift(*body, *state, Before::kOthers), IsEmpty());
  EXPECT_THAT(index_drift(*body, *state), ElementsAre("field gone is not declared"));
}

}  // namespace
}  // namespace searchsync::elastic
