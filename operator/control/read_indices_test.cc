#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/index_body.h"
#include "operator/control/engine.h"
#include "operator/plan/test_resources.h"

namespace searchsync::control {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

const IndexName kOne("runs-1"), kTwo("runs-2");

// Indices as the engine has them.
class ReadIndices : public testing::Test {
 protected:
  ReadIndices() {
    const auto all = plan::resources({.hours = 3});
    config_.index = all.indices[0];
    config_.bindings = all.bindings;
    config_.generation = Generation(1);
    config_.document_log = "log";
  }

  elastic::IndexState& add(const IndexName& name, const std::string& body,
                           std::vector<std::string> aliases) {
    const json parsed = json::parse(body);
    auto& state = indices_.emplace_back();
    state.name = name;
    const auto& meta = parsed.at("mappings").at("_meta").at("searchsync");
    state.meta = {.generation = Generation(meta.at("generation")),
                  .document_log = meta.at("documentLog"),
                  .index = meta.at("index")};
    if (meta.contains("partitionOf")) {
      state.meta->partition_of = IndexName(meta.at("partitionOf").get<std::string>());
    }
    state.aliases = std::move(aliases);
    state.has_write_alias = true;
    state.mappings = parsed.at("mappings").dump();
    json settings = parsed.at("settings");
    for (auto& value : settings) {  // they come back as texts
      if (!value.is_string()) value = value.dump();
    }
    state.settings = settings.dump();
    return state;
  }

  elastic::IndexState& add_generation(const IndexName& name, std::vector<std::string> aliases) {
    auto recipe = config_;
    recipe.generation_index = name;
    const auto body =
        elastic::index_body(recipe.index, name, recipe.generation, recipe.document_log);
    return add(name, with_recipe(*body, recipe).value(), std::move(aliases));
  }

  elastic::IndexState& add_partition(const IndexName& of, const std::string& hour,
                                     std::vector<std::string> aliases) {
    const IndexName name(of.get() + "-" + hour);
    return add(name, elastic::partition_body(config_.index, name, of, Generation(1), "log").value(),
               std::move(aliases));
  }

  plan::ObservedIndex read(const std::vector<IndexName>& alias) {
    std::ranges::sort(indices_, {}, &elastic::IndexState::name);
    plan::ObservedIndex seen;
    read_indices(indices_, config_.index, alias, seen);
    return seen;
  }

  model::PipelineConfig config_;
  std::vector<elastic::IndexState> indices_;
};

TEST_F(ReadIndices, PartitionsBelongToTheirGeneration) {
  add_generation(kOne, {"runs", "runs@none"});
  add_partition(kOne, "2026-11-29t13", {"runs", "runs@2026-11-29t13"});
  add_partition(kOne, "2026-11-29t12", {"runs"});
  const auto seen =
      read({kOne, IndexName("runs-1-2026-11-29t13"), IndexName("runs-1-2026-11-29t12")});
  ASSERT_EQ(seen.generations.size(), 1u);
  const auto& one = seen.generations[0];
  EXPECT_TRUE(one.read);
  ASSERT_EQ(one.partitions.size(), 2u);
  EXPECT_EQ(one.partitions[0].index.get(), "runs-1-2026-11-29t12");
  EXPECT_FALSE(one.partitions[0].read) << "its own alias is missing";
  EXPECT_TRUE(one.partitions[1].read);
  EXPECT_EQ(one.partitions[1].period,
            model::parse_period(model::Every::kHour, "2026-11-29t13").value());
  EXPECT_EQ(one.partitions[1].settings.refresh_interval, plan::kNeverRefreshed);
  EXPECT_THAT(seen.alias, ElementsAre(kOne));
  EXPECT_FALSE(seen.readers_astray);
  EXPECT_THAT(seen.foreign, IsEmpty());
  EXPECT_THAT(seen.unmarked, IsEmpty());
}

TEST_F(ReadIndices, APartitionOfAnOlderRecipeLacksItsFields) {
  add_generation(kOne, {});
  const auto before = add_partition(kOne, "2026-11-29t12", {});
  EXPECT_THAT(lacking(before, config_), IsEmpty());
  EXPECT_TRUE(json::parse(read({}).generations[0].mappings).contains("_meta"));
  auto& declared = config_.index.spec.mappings.text;
  auto mappings = json::parse(declared);
  mappings["properties"]["more"] = {{"type", "keyword"}};
  declared = mappings.dump();
  EXPECT_THAT(lacking(before, config_), ElementsAre("more"));
  mappings["properties"]["more"] = {{"type", "nested"}};
  declared = mappings.dump();
  EXPECT_THAT(lacking(before, config_), IsEmpty()) << "it does not take them";
}

TEST_F(ReadIndices, TheAliasOfAPeriodMayBeAstray) {
  add_generation(kOne, {"runs", "runs@none"});
  add_generation(kTwo, {});
  add_partition(kTwo, "2026-11-29t13", {"runs@2026-11-29t13"});
  EXPECT_TRUE(read({kOne}).readers_astray);
}

TEST_F(ReadIndices, AFilterNarrowsTheWhole) {
  add_generation(kOne, {"runs", "runs@none"});
  add_partition(kOne, "2026-11-29t13", {"runs", "runs@2026-11-29t13"}).narrowed = {"runs"};
  const auto seen = read({kOne});
  EXPECT_TRUE(seen.generations[0].narrowed);
  EXPECT_FALSE(seen.generations[0].partitions[0].read);
}

TEST_F(ReadIndices, OfAGenerationThatIsGoneTheyAreStray) {
  add_partition(kOne, "2026-11-29t12", {"runs"});
  add_partition(kOne, "2026-11-29t13", {"runs"});
  const auto seen = read({IndexName("runs-1-2026-11-29t12"), IndexName("runs-1-2026-11-29t13")});
  EXPECT_THAT(seen.generations, IsEmpty());
  EXPECT_THAT(seen.alias, IsEmpty()) << "they are about to go";
  ASSERT_EQ(seen.strays.size(), 1u);
  EXPECT_THAT(seen.strays.at(kOne),
              ElementsAre(IndexName("runs-1-2026-11-29t12"), IndexName("runs-1-2026-11-29t13")));
}

TEST_F(ReadIndices, WhatOnlyIsCalledSoIsSomebodyElses) {
  add_generation(kOne, {});
  add_partition(kOne, "2026-11-29", {});  // of another length
  add_partition(kOne, "2026-11-29t13", {}).has_write_alias = false;
  add_partition(kOne, "2026-11-29t14", {}).meta->index = "default/other";
  const auto seen = read({});
  EXPECT_THAT(seen.generations[0].partitions, IsEmpty());
  EXPECT_EQ(seen.foreign.size(), 3u);
  EXPECT_EQ(seen.foreign.at(IndexName("runs-1-2026-11-29t14")), "default/other");
}

TEST_F(ReadIndices, PartitionsOfAnIndexWithoutMetaAreNoStrays) {
  add_generation(kOne, {"runs"}).meta.reset();
  indices_[0].mappings = "{}";
  add_partition(kOne, "2026-11-29t13", {"runs"});
  const auto seen = read({kOne, IndexName("runs-1-2026-11-29t13")});
  ASSERT_EQ(seen.unmarked.size(), 1u);
  EXPECT_EQ(seen.unmarked[0].partitions.size(), 1u);
  EXPECT_THAT(seen.strays, IsEmpty());
  EXPECT_THAT(seen.alias, ElementsAre(kOne));
}

}  // namespace
}  // namespace searchsync::control
