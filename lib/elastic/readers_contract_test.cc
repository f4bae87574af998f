#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/admin.h"
#include "lib/elastic/bulk.h"
#include "lib/elastic/engine_contract.h"
#include "lib/elastic/index_body.h"

namespace searchsync::elastic {
namespace {

using nlohmann::json;
using testing::ElementsAre;

// Two generations of an index with a partition for each of two days.
class ReadersContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    if (!admin_) return;
    alias_ = own_name("readers");
    model_.metadata = {.name = "events", .namespace_ = "qa"};
    model_.spec.replicas = 0;
    model_.spec.mappings.text = R"({"properties":{"at":{"type":"date"}}})";
    for (const auto& generation : {one_(), two_()}) {
      const auto body = index_body(model_, generation, Generation(1), "log");
      ASSERT_TRUE(admin_->create_index(generation, *body));
      for (const auto* day : {"2026-11-28", "2026-11-29"}) make(generation, day);
    }
  }

  void TearDown() override {
    if (!admin_) return;
    std::vector<IndexName> names;
    const auto left = admin_->list_indices(alias_ + "-*").value();
    for (const auto& state : left) names.push_back(state.name);
    EXPECT_TRUE(admin_->delete_indices(names));
    EXPECT_TRUE(admin_->delete_indices(names)) << "they are gone";
    EXPECT_TRUE(admin_->list_indices(alias_ + "-*").value().empty());
  }

  IndexName one_() const { return IndexName(alias_ + "-1"); }
  IndexName two_() const { return IndexName(alias_ + "-2"); }
  static IndexName day_of(const IndexName& generation, std::string_view day) {
    return IndexName(fmt::format("{}-{}", generation.get(), day));
  }

  // With one document, whose id is the partition's name.
  void make(const IndexName& generation, std::string_view day) {
    const auto name = day_of(generation, day);
    const auto body = partition_body(model_, name, generation, Generation(1), "log");
    ASSERT_TRUE(admin_->create_index(name, *body));
    std::string write;
    append_index(write, name.get(), 1, fmt::format(R"({{"at":"{}"}})", day));
    const auto done = engine_->request(bulk_request(name, write, std::chrono::seconds(30)));
    ASSERT_TRUE(done && done->status == 200);
    ASSERT_TRUE(admin_->refresh(generation.get() + "*"));
  }

  // What is found, and how many shards were asked.
  std::pair<std::vector<std::string>, int> ask(const std::string& names) {
    const auto answer =
        engine_->request({.method = "POST",
                          .path = fmt::format("/{}/_search?ignore_unavailable=true", names),
                          .headers = {{"Content-Type", "application/json"}},
                          .body = R"({"sort":[{"at":"asc"}]})"});
    EXPECT_TRUE(answer && answer->status == 200) << answer->body;
    const json found = json::parse(answer->body);
    std::vector<std::string> ids;
    for (const auto& hit : found["hits"]["hits"]) ids.push_back(hit["_id"]);
    return {ids, found["_shards"]["total"].get<int>()};
  }

  std::string alias_;
  model::SearchIndex model_;
};

TEST_F(ReadersContract, AllIsLedFromOneGenerationToTheOther) {
  ASSERT_TRUE(admin_->move_readers({alias_, {}, one_()}));
  const auto days = fmt::format("{0}@2026-11-29,{0}@2026-11-30,{0}@none", alias_);
  EXPECT_EQ(ask(alias_),
            std::pair(std::vector{alias_ + "-1-2026-11-28", alias_ + "-1-2026-11-29"}, 3));
  EXPECT_EQ(ask(days), std::pair(std::vector{alias_ + "-1-2026-11-29"}, 2));
  EXPECT_EQ(ask(alias_ + "@none"), std::pair(std::vector<std::string>(), 1));
  EXPECT_EQ(admin_->move_readers({alias_, {two_()}, two_()}).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(admin_->move_readers({alias_, {one_()}, two_()}));
  EXPECT_EQ(ask(alias_),
            std::pair(std::vector{alias_ + "-2-2026-11-28", alias_ + "-2-2026-11-29"}, 3));
  EXPECT_EQ(ask(days), std::pair(std::vector{alias_ + "-2-2026-11-29"}, 2));
  make(two_(), "2026-11-30");
  EXPECT_EQ(ask(days), std::pair(std::vector{alias_ + "-2-2026-11-29"}, 2));
  ASSERT_TRUE(admin_->move_readers({alias_, {two_()}, two_()}));
  EXPECT_EQ(ask(days),
            std::pair(std::vector{alias_ + "-2-2026-11-29", alias_ + "-2-2026-11-30"}, 3));
  const auto state = admin_->get_index(day_of(two_(), "2026-11-30").get()).value();
  EXPECT_EQ(state.meta, (IndexMeta{Generation(1), "log", "qa/events", two_()}));
  EXPECT_THAT(state.aliases, ElementsAre(alias_, alias_ + "@2026-11-30"));
}

TEST_F(ReadersContract, SettingsOfManyChangeInOneCall) {
  std::vector<IndexName> names = {one_(), IndexName(alias_ + "-gone")};
  for (const auto* day : {"2026-11-28", "2026-11-29"}) names.push_back(day_of(one_(), day));
  for (size_t i = 0; i < 2 * Admin::kNamesMax; ++i) {
    names.push_back(IndexName(fmt::format("{}-gone-{}", alias_, i)));
  }
  const auto done = admin_->update_settings(names, R"({"index.refresh_interval":"7s"})");
  ASSERT_TRUE(done) << done.error().message;
  const auto set = admin_->list_indices(alias_ + "-1*").value();
  ASSERT_EQ(set.size(), 3u);
  for (const auto& state : set) {
    EXPECT_EQ(json::parse(state.settings)["index.refresh_interval"], "7s") << state.name.get();
  }
}

}  // namespace
}  // namespace searchsync::elastic
