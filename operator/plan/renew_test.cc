#include "operator/plan/renew.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/elastic/mixable.h"
#include "lib/model/pipeline.h"
#include "operator/plan/planned_world.h"

namespace searchsync::plan {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto kRebuild = model::OnMappingChange::kRebuild;
constexpr auto kNewPartitions = model::OnMappingChange::kNewPartitions;

Declared declared(int fields, int shape = 0, model::OnMappingChange mode = kNewPartitions) {
  return {.shape = shape, .hours = 3, .fields = fields, .on_mapping_change = mode};
}

// A partitioned index that is served, and takes what can be mixed.
class RenewTest : public PlannedWorld {
 protected:
  RenewTest() {
    declare(declared(0));
    settle();
    done();
  }

  const FakeWorld::Index& index(const IndexName& name) const { return world_.indices().at(name); }
  static bool has_fields(const std::string& mappings, int fields) {
    const auto all = resources(declared(fields));
    return elastic::new_fields(mappings, all.indices[0].spec.mappings.text).missing.empty();
  }
  bool all_have(int fields) const {
    return std::ranges::all_of(index(served_).partitions, [&](const auto& one) {
      return has_fields(one.second.mappings, fields);
    });
  }
  bool is_made_of(const Declared& wanted) const {
    const auto all = resources(wanted);
    return content_of(index(served_).recipe) ==
           model::generation_hash(all.indices[0], all.bindings);
  }
  // Of the workers that run.
  std::string worker_config() const {
    for (const auto& [_, workload] : world_.workloads()) {
      if (workload.role == Role::kWorker) return workload.config;
    }
    return "";
  }

  const IndexName served_ = name(declared(0));
};

TEST_F(RenewTest, PartitionsTakeNewFieldsFirstThenTheRecipeThenWorkers) {
  declare(declared(2));
  tick();
  const auto text = done();
  EXPECT_LT(text.find("add the fields"), text.rfind("write _meta")) << text;
  EXPECT_THAT(text, Not(HasSubstr("run worker"))) << "they follow in the next round";
  EXPECT_TRUE(is_made_of(declared(2)));
  EXPECT_TRUE(all_have(2));
  EXPECT_THAT(worker_config(), Not(HasSubstr("more1")));
  const auto status = settle(3);
  EXPECT_THAT(worker_config(), HasSubstr("more1"));
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.alias, served_);
  EXPECT_EQ(status.desired, served_);
  EXPECT_EQ(world_.indices().size(), 1u);
  EXPECT_TRUE(index(served_).recipe.renewed);
  EXPECT_THAT(done(), Not(HasSubstr("create index")));
}

// What is begun leaves nothing that would be taken for somebody else's doing.
TEST_F(RenewTest, TakenBackHalfWayItIsAsItWas) {
  declare(declared(1));
  const auto now = plan(world_.observe(), {}, world_.now());
  for (const auto& step : now.steps) {
    const auto* meta = std::get_if<WriteMeta>(&step.action);
    if (meta != nullptr && content_of(meta->recipe) != content_of(index(served_).recipe)) break;
    world_.execute(step);
  }
  EXPECT_TRUE(all_have(1));
  declare(declared(0));
  const auto status = settle(3);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.alias, served_);
  EXPECT_TRUE(is_made_of(declared(0)));
  EXPECT_TRUE(index(served_).recipe.renewed) << "so that its fields are no drift";
}

TEST_F(RenewTest, NewPartitionsHaveIt) {
  declare(declared(1));
  settle(3);
  world_.pass(std::chrono::minutes(60));
  settle(3);
  EXPECT_THAT(index(served_).partitions.rbegin()->second.mappings, HasSubstr("more0"));
}

TEST_F(RenewTest, FieldsThatAreGoneStayInWhatThereIs) {
  declare(declared(2));
  settle(3);
  declare(declared(1));
  EXPECT_EQ(settle(3).phase, Phase::kServing);
  EXPECT_TRUE(is_made_of(declared(1)));
  EXPECT_TRUE(has_fields(index(served_).mappings, 2));
  EXPECT_THAT(worker_config(), Not(HasSubstr("more1")));
  declare(declared(0));
  settle(3);
  EXPECT_TRUE(is_made_of(declared(0))) << "what it is called after";
  EXPECT_EQ(world_.indices().size(), 1u);
}

TEST_F(RenewTest, WhatIsChosenIsNoChangeByItself) {
  declare(declared(1));
  settle(3);
  done();
  for (const auto mode : {kRebuild, kNewPartitions}) {
    declare(declared(1, 0, mode));
    EXPECT_EQ(settle(3).alias, served_);
    const auto text = done();
    EXPECT_THAT(text, Not(HasSubstr("create index")));
    EXPECT_THAT(text, Not(HasSubstr("_meta")));
    EXPECT_THAT(text, Not(HasSubstr("run worker")));
  }
}

TEST_F(RenewTest, WhatCannotBeMixedIsBuiltAnewAndSaysWhy) {
  declare(declared(0, 1));
  const auto now = plan(world_.observe(), {}, world_.now());
  const auto create = std::ranges::find_if(
      now.steps, [](const auto& step) { return std::holds_alternative<CreateIndex>(step.action); });
  ASSERT_NE(create, now.steps.end());
  EXPECT_EQ(create->reason, "rebuild beside " + served_.get() +
                                ": mappings (the mappings differ in more than their fields)");
  tick();
  EXPECT_THAT(tick().indices.at(0).message,
              HasSubstr("is being built (the mappings differ in more than their fields): "));
  const auto status = settle(80);
  EXPECT_EQ(status.alias, name(declared(0, 1)));
  EXPECT_FALSE(world_.indices().contains(served_));
}

TEST_F(RenewTest, RebuildBuildsAnewUnderAnotherNameWhereItsOwnIsTaken) {
  declare(declared(1));
  settle(3);
  declare(declared(0, 0, kRebuild));
  const auto status = settle(80);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_NE(status.alias, served_) << "that has become something else";
  EXPECT_EQ(status.alias, status.desired);
  EXPECT_EQ(world_.indices().size(), 1u);
  EXPECT_FALSE(has_fields(index(*status.alias).mappings, 1));
  done();
  settle(3);
  EXPECT_EQ(done(), "");
}

TEST_F(RenewTest, WhoIsKeptWarmIsWhatIsDeclaredAgain) {
  declare(declared(0, 1));
  for (int i = 0; i < 80 && world_.alias("runs") == served_; ++i) tick();
  ASSERT_TRUE(world_.indices().contains(served_)) << "kept warm";
  declare(declared(0));
  for (int i = 0; i < 40 && world_.alias("runs") != served_; ++i) tick();
  EXPECT_EQ(world_.alias("runs"), served_);
  EXPECT_THAT(done(), Not(HasSubstr("add the fields")));
}

TEST_F(RenewTest, WhatTheEngineRefusesIsBuiltAnew) {
  declare(declared(1));
  auto observed = world_.observe();
  const auto find = [](const Plan& now, auto is_it) {
    return std::ranges::find_if(now.steps, [&](const auto& one) { return is_it(one.action); });
  };
  const auto adds = [](const Action& one) { return std::holds_alternative<AddFields>(one); };
  const auto creates = [](const Action& one) { return std::holds_alternative<CreateIndex>(one); };
  const auto first = plan(observed, {}, world_.now());
  const auto step = find(first, adds);
  ASSERT_NE(step, first.steps.end());
  auto& failure = observed.indices.at("default/test-runs").failure;
  failure = Failure{describe(step->action), Error{ErrorCode::kUnavailable, "busy"}};
  auto next = plan(observed, {}, world_.now());
  EXPECT_NE(find(next, adds), next.steps.end()) << "that is tried again";
  failure->error = Error{ErrorCode::kInvalidArgument, "limit of total fields exceeded"};
  next = plan(observed, {}, world_.now());
  EXPECT_EQ(find(next, adds), next.steps.end());
  const auto create = find(next, creates);
  ASSERT_NE(create, next.steps.end());
  EXPECT_THAT(create->reason, HasSubstr("(the engine does not add the fields: limit of total"));
  // Of what is declared now, nothing has been refused.
  observed.resources = resources(declared(2));
  next = plan(observed, {}, world_.now());
  EXPECT_NE(find(next, adds), next.steps.end());
}

TEST_F(RenewTest, OtherSettingsAreTriedInAPartitionThatNobodyWritesTo) {
  auto all = resources(declared(0));
  all.indices[0].spec.settings = model::JsonText{R"({"index.codec":"best_compression"})"};
  world_.declare(all);
  const auto now = plan(world_.observe(), {}, world_.now());
  for (const auto& step : now.steps) {  // as if it ended after that
    world_.execute(step);
    if (std::holds_alternative<CreatePartitions>(step.action)) break;
  }
  EXPECT_EQ(index(served_).partitions.begin()->first, model::Period(0));
  EXPECT_TRUE(is_made_of(declared(0)));
  tick();
  const auto text = done();
  EXPECT_LT(text.find("drop partition"), text.find("create partitions")) << text;
  EXPECT_LT(text.find("create partitions"), text.rfind("drop partition")) << text;
  EXPECT_TRUE(text.contains("write _meta")) << text;
  EXPECT_GT(index(served_).partitions.begin()->first, model::Period(0));
  EXPECT_EQ(settle(3).phase, Phase::kServing);
  EXPECT_EQ(world_.indices().size(), 1u);
  done();
  all.indices[0].spec.settings = model::JsonText{R"({"index.max_result_window":7})"};
  world_.declare(all);
  tick();
  EXPECT_THAT(done(), HasSubstr("create index"));
}

TEST_F(RenewTest, PartitionsThatWorkersMadeWithAnOlderRecipeGetItsFields) {
  declare(declared(1));
  settle(3);
  done();
  world_.lose_fields(served_, index(served_).partitions.begin()->first);
  EXPECT_FALSE(all_have(1));
  world_.break_down(FakeWorld::Fault::kWorkers);  // or they would see to it themselves
  tick();
  EXPECT_TRUE(all_have(1));
  EXPECT_THAT(done(), HasSubstr("add the fields"));
  tick();
  EXPECT_THAT(done(), Not(HasSubstr("add the fields")));
}

// By the notes: its name is that of another.
TEST_F(RenewTest, WithoutMetaItIsStillWhatItWasMadeOf) {
  declare(declared(1));
  settle(3);
  declare(declared(0, 0, kRebuild));
  const auto built = *settle(80).alias;
  ASSERT_NE(built, served_);
  declare(declared(0));
  world_.drop_meta(built);
  EXPECT_EQ(settle(3).phase, Phase::kServing);
  EXPECT_EQ(world_.alias("runs"), built);
  EXPECT_TRUE(index(built).marked);
  EXPECT_EQ(world_.indices().size(), 1u);
}

// By the notes: its name says what it was before.
TEST_F(RenewTest, WithoutMetaItIsStillWhatItHasBecome) {
  declare(declared(1));
  settle(3);
  world_.drop_meta(served_);
  EXPECT_EQ(settle(3).phase, Phase::kServing);
  EXPECT_TRUE(index(served_).marked);
  EXPECT_TRUE(is_made_of(declared(1)));
  EXPECT_TRUE(index(served_).recipe.renewed);
  EXPECT_EQ(world_.indices().size(), 1u);
}

TEST_F(RenewTest, ARetentionThatIsShortenedWithItStays) {
  auto next = declared(1);
  next.hours = 1;
  declare(next);
  tick();
  EXPECT_EQ(index(served_).recipe.index.spec.partitioning->retain, std::chrono::hours(1));
  EXPECT_TRUE(is_made_of(next));
}

TEST(Renew, UnderOneNameThereIsOneThing) {
  const auto before = resources(declared(1));
  model::PipelineConfig recipe;
  recipe.index = before.indices[0];
  recipe.bindings = before.bindings;
  const auto why = [&](const model::Resources& now) {
    return why_not_renewed(recipe, recipe.index.spec.mappings.text, now.indices[0], now.bindings);
  };
  EXPECT_EQ(why(before), "");
  EXPECT_EQ(why(resources(declared(0))), "");
  EXPECT_EQ(why(resources(declared(3))), "");
  auto now = before;
  now.bindings[1].spec.fields.back().from = "other";
  EXPECT_EQ(why(now), "field more0 is filled in another way");
  now = before;
  now.bindings[1].spec.fields.back().type = model::FieldType::kNumber;
  EXPECT_EQ(why(now), "field more0 is filled in another way");
  now = before;
  now.indices[0].spec.shards = 2;
  EXPECT_EQ(why(now), "more than mappings, settings and fields changes");
}

// One that was declared before may still be there, as something else.
TEST(Renew, WhatTheIndexHasCountsToo) {
  const auto before = resources(declared(0));
  model::PipelineConfig recipe;
  recipe.index = before.indices[0];
  recipe.bindings = before.bindings;
  auto found = nlohmann::json::parse(before.indices[0].spec.mappings.text);
  found["properties"]["more0"] = {{"type", "long"}};
  const auto now = resources(declared(1));
  EXPECT_EQ(why_not_renewed(recipe, found.dump(), now.indices[0], now.bindings),
            "field more0 is there as long, not as keyword");
}

}  // namespace
}  // namespace searchsync::plan
