#include "lib/elastic/admin.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"
#include "lib/elastic/engine_contract.h"
#include "lib/elastic/index_body.h"

namespace searchsync::elastic {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::chrono::seconds kTimeout{30};

class AdminContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    base_ = own_name("contract");
    alias_ = base_;
  }

  void TearDown() override {
    if (!admin_) return;
    const auto left = admin_->list_indices(base_ + "*");
    ASSERT_TRUE(left) << left.error().message;
    for (const IndexState& state : *left) {
      EXPECT_TRUE(admin_->delete_index(state.name));
    }
  }

  IndexName index(std::string_view suffix) const {
    return IndexName(fmt::format("{}-{}", base_, suffix));
  }

  IndexName create(std::string_view suffix) {
    model::SearchIndex search_index;
    search_index.metadata = {.name = "runs", .namespace_ = "qa"};
    search_index.spec.index_name = alias_;
    search_index.spec.replicas = 0;
    search_index.spec.mappings.text =
        R"({"dynamic":"strict","properties":{"name":{"type":"keyword"},"count":{"type":"long"}}})";
    search_index.spec.settings = model::JsonText{R"({"analysis":{"analyzer":{
        "folded":{"type":"custom","tokenizer":"standard","filter":["lowercase"]}}}})"};
    const IndexName name = index(suffix);
    const auto body = index_body(search_index, name, Generation(2), "log-a");
    EXPECT_TRUE(body) << body.error().message;
    const auto created = admin_->create_index(name, *body);
    EXPECT_TRUE(created) << created.error().message;
    return name;
  }

  std::vector<ItemOutcome> write(const IndexName& name, std::string body, size_t operations) {
    const auto response = engine_->request(bulk_request(name, std::move(body), kTimeout));
    EXPECT_TRUE(response) << response.error().message;
    const auto outcomes = parse_bulk_response(response->status, response->body, operations);
    EXPECT_TRUE(outcomes) << response->body << outcomes.error().message;
    return *outcomes;
  }

  std::vector<Outcome> kinds(const IndexName& name, std::string body, size_t operations) {
    std::vector<Outcome> all;
    for (const auto& item : write(name, std::move(body), operations)) all.push_back(item.outcome);
    return all;
  }

  std::string base_;
  std::string alias_;
};

TEST_F(AdminContract, IndexIsCreatedOnceAndSaysWhatItIs) {
  const IndexName name = create("1");
  const auto state = admin_->get_index(name.get());
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->meta, (IndexMeta{Generation(2), "log-a", "qa/runs"}));
  EXPECT_THAT(state->aliases, ElementsAre());
  EXPECT_FALSE(state->uuid.empty());
  const json settings = json::parse(state->settings);
  EXPECT_EQ(settings["index.gc_deletes"], "1h");
  EXPECT_EQ(settings["index.number_of_replicas"], "0");
  EXPECT_EQ(settings["index.analysis.analyzer.folded.tokenizer"], "standard");

  const auto again = admin_->create_index(name, "{}");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict) << again.error().message;
  EXPECT_EQ(admin_->get_index(base_ + "-none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(admin_->create_index(index("2"), R"({"nonsense":1})").error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(AdminContract, IndexIsDeletedOnce) {
  const IndexName name = create("1");
  EXPECT_TRUE(admin_->delete_index(name));
  EXPECT_TRUE(admin_->delete_index(name));
  EXPECT_FALSE(admin_->delete_index(IndexName(base_ + "*")));
  EXPECT_EQ(admin_->list_indices(base_ + "*").value().size(), 0u);
  EXPECT_EQ(admin_->list_indices(base_).value().size(), 0u);
}

TEST_F(AdminContract, AliasMovesOnlyFromWhereItIsSaidToBe) {
  const IndexName one = create("1");
  const IndexName two = create("2");
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre());
  ASSERT_TRUE(admin_->swap_alias(alias_, {}, one));
  ASSERT_TRUE(admin_->swap_alias(alias_, {}, one));  // it is there already
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre(one));
  EXPECT_EQ(admin_->swap_alias(alias_, {}, two).error().code, ErrorCode::kConflict);
  EXPECT_EQ(admin_->swap_alias(alias_, {index("3")}, two).error().code, ErrorCode::kConflict);
  const auto swapped = admin_->swap_alias(alias_, {one}, two);
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre(two));
  const auto state = admin_->get_index(alias_);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->name, two);
  EXPECT_THAT(state->aliases, ElementsAre(alias_));
  EXPECT_FALSE(admin_->swap_alias(alias_, {two}, index("none")));
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre(two));
  EXPECT_EQ(admin_->alias_targets(two.get()).error().code, ErrorCode::kConflict);
  EXPECT_EQ(admin_->create_index(IndexName(alias_), "{}").error().code, ErrorCode::kConflict);
}

TEST_F(AdminContract, AnAliasThatOthersChangedMovesFromAllAndToTheWhole) {
  const IndexName one = create("1");
  const IndexName two = create("2");
  const auto change = [&](const json& actions) {
    const auto changed = engine_->request({.method = "POST",
                                           .path = "/_aliases",
                                           .headers = {{"Content-Type", "application/json"}},
                                           .body = json{{"actions", actions}}.dump()});
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_EQ(changed->status, 200) << changed->body;
  };
  const auto add = [&](const IndexName& to, json how = {}) {
    how["index"] = to.get();
    how["alias"] = alias_;
    change({{{"add", how}}});
  };
  const auto narrowed = [&](const IndexName& name) {
    const auto state = admin_->get_index(name.get());
    EXPECT_TRUE(state) << state.error().message;
    EXPECT_TRUE(state->has_write_alias);
    return state->narrowed.contains(alias_);
  };
  add(one);
  add(two);
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre(one, two));
  EXPECT_EQ(admin_->swap_alias(alias_, {two}, one).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(admin_->swap_alias(alias_, {two, one}, one));
  EXPECT_THAT(admin_->alias_targets(alias_).value(), ElementsAre(one));
  EXPECT_FALSE(narrowed(one));
  for (const json& how : {json{{"filter", {{"term", {{"name", "x"}}}}}}, json{{"routing", "a"}},
                          json{{"search_routing", "a"}}, json{{"index_routing", "a"}}}) {
    add(one, how);
    EXPECT_TRUE(narrowed(one)) << how;
    EXPECT_TRUE(admin_->swap_alias(alias_, {}, one)) << "nothing is done: it is there";
    EXPECT_TRUE(narrowed(one)) << how;
    ASSERT_TRUE(admin_->swap_alias(alias_, {one}, one));
    EXPECT_FALSE(narrowed(one)) << how;
  }
  add(one, {{"is_hidden", true}});
  EXPECT_FALSE(narrowed(one)) << "readers find it by its name all the same";
}

TEST_F(AdminContract, VersionsDecideWhatABulkWriteDoes) {
  const IndexName name = create("1");
  std::string body;
  append_index(body, "a", 5, R"({"name":"first"})");
  append_index(body, "b", 5, R"({"name":"other"})");
  append_delete(body, "never there", 3);
  EXPECT_THAT(kinds(name, body, 3),
              ElementsAre(Outcome::kApplied, Outcome::kApplied, Outcome::kApplied));
  body.clear();
  append_index(body, "a", 4, R"({"name":"older"})");
  append_index(body, "a", 5, R"({"name":"same version"})");
  append_delete(body, "b", 4);
  append_delete(body, "b", 6);
  append_index(body, "b", 5, R"({"name":"back from deletion"})");
  append_index(body, "never there", 2, R"({"name":"back from deletion"})");
  EXPECT_THAT(kinds(name, body, 6),
              ElementsAre(Outcome::kStale, Outcome::kApplied, Outcome::kStale, Outcome::kApplied,
                          Outcome::kStale, Outcome::kStale));
  ASSERT_TRUE(admin_->refresh(name.get()));
  EXPECT_EQ(admin_->count(name.get()).value(), 1);
}

TEST_F(AdminContract, ADocumentThatDoesNotFitIsRejectedAlone) {
  const IndexName name = create("1");
  std::string body;
  append_index(body, "1", 1, R"({"count":"many"})");
  append_index(body, "2", 1, R"({"surprise":1})");
  append_index(body, "3\n\"\\\xc3\xa9", 1, R"({"count":3})");
  append_index(body, "4", 1, R"({"count":})");
  const auto outcomes = write(name, body, 4);
  EXPECT_EQ(outcomes[0].outcome, Outcome::kRejected);
  EXPECT_THAT(outcomes[0].reason, HasSubstr("count"));
  EXPECT_EQ(outcomes[1].outcome, Outcome::kRejected);
  EXPECT_THAT(outcomes[1].reason, HasSubstr("surprise"));
  EXPECT_EQ(outcomes[2].outcome, Outcome::kApplied);
  EXPECT_EQ(outcomes[3].outcome, Outcome::kRejected);
}

TEST_F(AdminContract, AWriteNeverCreatesAnIndex) {
  for (const bool deletes : {false, true}) {
    std::string body;
    if (deletes) {
      append_delete(body, "a", 1);
    } else {
      append_index(body, "a", 1, R"({"name":"x"})");
    }
    EXPECT_THAT(kinds(index("none"), body, 1), ElementsAre(Outcome::kFatal));
  }
  EXPECT_EQ(admin_->list_indices(base_ + "*").value().size(), 0u);
}

TEST_F(AdminContract, ARemovedOrClosedIndexIsFatalAReadOnlyOneIsNot) {
  const IndexName name = create("1");
  std::string body;
  append_index(body, "a", 1, R"({"name":"x"})");
  for (const char* block : {"index.blocks.write", "index.blocks.read_only_allow_delete"}) {
    ASSERT_TRUE(admin_->update_settings(name, fmt::format(R"({{"{}":true}})", block)));
    EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kRetry)) << block;
    ASSERT_TRUE(admin_->update_settings(name, fmt::format(R"({{"{}":null}})", block)));
  }
  EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kApplied));
  ASSERT_TRUE(engine_->request({.method = "POST", .path = "/" + name.get() + "/_close"}));
  EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kFatal));
  ASSERT_TRUE(admin_->delete_index(name));
  EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kFatal));
}

TEST_F(AdminContract, SettingsAndMappingsChangeInPlace) {
  const IndexName name = create("1");
  const auto set = admin_->update_settings(name, R"({"index.gc_deletes":"1s"})");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(admin_->update_settings(name, R"({"index.number_of_shards":3})").error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(admin_->update_mappings(name, R"({"properties":{"late":{"type":"date"}}})"));
  EXPECT_EQ(
      admin_->update_mappings(name, R"({"properties":{"name":{"type":"long"}}})").error().code,
      ErrorCode::kInvalidArgument);
  const auto state = admin_->get_index(name.get()).value();
  EXPECT_EQ(json::parse(state.settings)["index.gc_deletes"], "1s");
  EXPECT_EQ(json::parse(state.mappings)["properties"]["late"]["type"], "date");
  EXPECT_EQ(state.meta, (IndexMeta{Generation(2), "log-a", "qa/runs"}));
}

TEST_F(AdminContract, MetaIsReplacedWhole) {
  const IndexName name = create("1");
  ASSERT_TRUE(admin_->update_mappings(name, R"({"_meta":{"note":"by hand"}})"));
  auto state = admin_->get_index(name.get()).value();
  EXPECT_EQ(state.meta, std::nullopt);
  EXPECT_TRUE(state.has_write_alias);
  ASSERT_TRUE(admin_->update_mappings(name, R"({"_meta":{"searchsync":
      {"generation":2,"documentLog":"log-a","index":"qa/runs"}}})"));
  state = admin_->get_index(name.get()).value();
  EXPECT_EQ(state.meta, (IndexMeta{Generation(2), "log-a", "qa/runs"}));
  EXPECT_FALSE(json::parse(state.mappings)["_meta"].contains("note"));
}

TEST_F(AdminContract, TheWriteAliasIsPutBackAsItWasMade) {
  const IndexName name = create("1");
  std::string body;
  append_index(body, "a", 1, R"({"name":"x"})");
  const auto change = [&](const char* verb, json how) {
    how["index"] = name.get();
    how["alias"] = write_alias(name);
    const auto done = engine_->request({.method = "POST",
                                        .path = "/_aliases",
                                        .headers = {{"Content-Type", "application/json"}},
                                        .body = json{{"actions", {{{verb, how}}}}}.dump()});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->status, 200) << done->body;
  };
  const auto state = [&] { return admin_->get_index(name.get()).value(); };
  EXPECT_TRUE(state().writable);
  change("remove", json::object());
  EXPECT_FALSE(state().writable);
  EXPECT_FALSE(state().has_write_alias);
  EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kFatal));
  ASSERT_TRUE(admin_->put_write_alias(name));
  EXPECT_TRUE(state().writable);
  EXPECT_THAT(kinds(name, body, 1), ElementsAre(Outcome::kApplied));
  for (const auto& how : {json{{"routing", "1"}}, json{{"is_write_index", false}}}) {
    change("add", how);
    EXPECT_TRUE(state().has_write_alias);
    EXPECT_FALSE(state().writable) << how.dump();
    ASSERT_TRUE(admin_->put_write_alias(name));
    EXPECT_TRUE(state().writable);
  }
}

TEST_F(AdminContract, PointInTimeDoesNotSeeLaterWrites) {
  const IndexName name = create("1");
  std::string body;
  append_index(body, "a", 1, R"({"name":"x"})");
  write(name, body, 1);
  ASSERT_TRUE(admin_->refresh(name.get()));
  const auto id = admin_->open_point_in_time(name.get(), std::chrono::seconds(60));
  ASSERT_TRUE(id) << id.error().message;
  body.clear();
  append_index(body, "b", 1, R"({"name":"y"})");
  write(name, body, 1);
  ASSERT_TRUE(admin_->refresh(name.get()));
  const auto found = admin_->search_point_in_time(
      json{{"pit", {{"id", *id}, {"keep_alive", "1m"}}}}.dump(), kTimeout);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(json::parse(*found)["hits"]["total"]["value"], 1);
  const auto now = admin_->search(name.get(), "{}", kTimeout);
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_EQ(json::parse(*now)["hits"]["total"]["value"], 2);
  EXPECT_TRUE(admin_->close_point_in_time(*id));
}

TEST_F(AdminContract, ClusterSaysHowItIs) {
  const auto health = admin_->cluster_health();
  ASSERT_TRUE(health) << health.error().message;
  EXPECT_GE(health->data_nodes, 1);
  EXPECT_FALSE(health->cluster_name.empty());
}

}  // namespace
}  // namespace searchsync::elastic
