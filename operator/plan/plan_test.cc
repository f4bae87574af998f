#include "operator/plan/plan.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "lib/model/pipeline.h"
#include "operator/plan/fake_world.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

using std::chrono::seconds;

class PlanTest : public testing::Test {
 protected:
  PlanTest() : world_(7) {
    for (const auto* table : kTables) world_.add_source(table, 5);
    world_.declare(resources({}));
  }

  Plan tick() {
    world_.pass(seconds(2));
    world_.work(200);
    const Plan now = plan(world_.observe(), {}, world_.now());
    for (const auto& step : now.steps) {
      done_.push_back(describe(step.action));
      world_.execute(step);
    }
    EXPECT_EQ(world_.broken_invariant(), "");
    return now;
  }

  // Until the plan has been empty for long enough that what only waits for time has happened.
  IndexStatus settle(int ticks = 60) {
    Plan last;
    for (int i = 0; i < ticks; ++i) last = tick();
    return last.indices.at(0);
  }

  bool did(const std::string& start) const {
    return std::ranges::any_of(done_, [&](const auto& d) { return d.starts_with(start); });
  }

  static IndexName name(const Declared& declared) {
    const auto all = resources(declared);
    return model::generation_index_name(all.indices[0], all.bindings);
  }

  FakeWorld world_;
  std::vector<std::string> done_;
};

TEST_F(PlanTest, FromNothingToServing) {
  const auto status = settle();
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.alias, name({}));
  EXPECT_EQ(status.generation, Generation(1));
  EXPECT_FALSE(did("hand the lead")) << "the first generation leads without a record";
  EXPECT_TRUE(world_.settled(name({})));
  EXPECT_TRUE(tick().steps.empty());
}

TEST_F(PlanTest, AnotherShapeIsBuiltBesideAndTakesOver) {
  settle();
  world_.declare(resources({.shape = 1}));
  done_.clear();
  settle(20);
  EXPECT_EQ(world_.aliases().at("runs"), name({.shape = 1}));
  EXPECT_TRUE(did(fmt::format("create index {} (generation 2)", name({.shape = 1}).get())));
  EXPECT_TRUE(did("hand the lead"));
  EXPECT_TRUE(world_.indices().contains(name({}))) << "kept warm";
  settle();
  EXPECT_FALSE(world_.indices().contains(name({})));
  EXPECT_EQ(world_.workloads().size(), 3u);
}

TEST_F(PlanTest, AnEditTakenBackMovesTheAliasBackAtOnce) {
  settle();
  world_.declare(resources({.shape = 1}));
  settle(20);
  ASSERT_EQ(world_.aliases().at("runs"), name({.shape = 1}));
  world_.declare(resources({.approval = model::Approval::kManual}));
  tick();
  EXPECT_EQ(world_.aliases().at("runs"), name({}));
  EXPECT_EQ(world_.indices().size(), 2u);
}

TEST_F(PlanTest, AnotherTopologyHasALogOfItsOwn) {
  settle();
  const auto before = resources({});
  const auto log = model::document_log_name(before.indices[0], before.bindings);
  world_.declare(resources({.topology = 1}));
  done_.clear();
  const auto status = settle(100);
  EXPECT_EQ(status.alias, name({.topology = 1}));
  EXPECT_EQ(status.generation, Generation(1));
  EXPECT_TRUE(did("create topic searchsync.default.test-runs.log-"));
  EXPECT_TRUE(did("delete topic " + log));
  EXPECT_FALSE(world_.has_topic(log));
}

TEST_F(PlanTest, ManualApprovalWaitsAndSaysSo) {
  settle();
  world_.declare(resources({.shape = 1, .approval = model::Approval::kManual}));
  auto status = settle();
  EXPECT_EQ(status.phase, Phase::kAwaitingApproval);
  EXPECT_EQ(status.alias, name({}));
  EXPECT_NE(status.message.find("approval"), std::string::npos);
  world_.declare(resources({.shape = 1}));
  status = settle(5);
  EXPECT_EQ(status.alias, name({.shape = 1}));
}

TEST_F(PlanTest, WhatCanChangeInPlaceDoes) {
  settle();
  world_.declare(resources({.replicas = 2}));
  done_.clear();
  settle(5);
  EXPECT_TRUE(did("set 2 replicas"));
  EXPECT_FALSE(did("create index"));
  EXPECT_EQ(world_.indices().at(name({})).replicas, 2);
}

TEST_F(PlanTest, UnreachableMeansHandsOff) {
  settle();
  for (const auto fault : {FakeWorld::Fault::kEngine, FakeWorld::Fault::kKafka}) {
    world_.break_down(fault);
    world_.declare(resources({.shape = 1, .topology = 1}));
    const auto now = plan(world_.observe(), {}, world_.now());
    EXPECT_TRUE(now.steps.empty());
    EXPECT_EQ(now.indices.at(0).phase, Phase::kUnknown);
    EXPECT_EQ(now.indices.at(0).conditions.at(0).status, ConditionStatus::kUnknown);
    world_.repair();
  }
}

TEST_F(PlanTest, FaultyResourcesMeanHandsOff) {
  settle();
  Observed observed = world_.observe();
  observed.resources_known = false;
  observed.resources = {};
  EXPECT_TRUE(plan(observed, {}, world_.now()).steps.empty());
}

TEST_F(PlanTest, SuspendedKeepsServing) {
  settle();
  world_.declare(resources({.suspend = true}));
  const auto status = settle();
  EXPECT_EQ(status.phase, Phase::kSuspended);
  EXPECT_EQ(status.alias, name({}));
  ASSERT_EQ(world_.workloads().size(), 1u);
  EXPECT_EQ(world_.workloads().begin()->first, "query-test-runs");
}

TEST_F(PlanTest, AHaltedLeaderIsReplacedByOneOfItsNumber) {
  settle();
  world_.add_source("public.runs", 30);
  world_.halt_worker("worker-" + name({}).get() + "-g1", "run");
  EXPECT_NE(tick().indices.at(0).message.find("halted"), std::string::npos);
  world_.declare(resources({.shape = 1}));
  done_.clear();
  const auto status = settle();
  EXPECT_TRUE(did(fmt::format("create index {} (generation 1)", name({.shape = 1}).get())));
  EXPECT_EQ(status.alias, name({.shape = 1}));
  EXPECT_EQ(world_.indices().size(), 1u);
  EXPECT_TRUE(world_.settled(name({.shape = 1})));
}

TEST_F(PlanTest, AnIndexDeletedByHandIsMadeAnew) {
  settle();
  world_.remove_alias("runs");
  world_.remove_index(name({}));
  const auto status = settle();
  EXPECT_EQ(status.phase, Phase::kServing) << status.message;
  EXPECT_TRUE(world_.settled(name({})));
  EXPECT_TRUE(tick().steps.empty());
}

TEST_F(PlanTest, WhatOnlyAPersonCanPutRight) {
  settle();
  struct Case {
    std::string reason;
    std::function<void(Observed&, ObservedIndex&)> make;
  };
  const Case cases[] = {
      {"IndexNameChanged",
       [](Observed& o, ObservedIndex&) { o.resources.indices[0].spec.index_name = "other"; }},
      {"AliasForeign", [](Observed&, ObservedIndex& i) { i.alias = {IndexName("theirs")}; }},
      {"AliasAmbiguous",
       [](Observed&, ObservedIndex& i) { i.alias.push_back(IndexName("theirs")); }},
      {"AliasNotAvailable", [](Observed&, ObservedIndex& i) { i.alias_fault = "an index"; }},
      {"IndexNameTaken",
       [](Observed& o, ObservedIndex& i) {
         o.resources = resources({.shape = 1});
         i.foreign = {name({.shape = 1})};
       }},
      {"DocumentLogLost",
       [](Observed&, ObservedIndex& i) {
         std::erase_if(i.topics, [](const auto& t) { return t.first.contains(".log-"); });
       }},
      {"StepFailed",
       [](Observed&, ObservedIndex& i) {
         i.failure = Failure{"create index", {ErrorCode::kInvalidArgument, "bad mapping"}};
       }},
  };
  for (const auto& one : cases) {
    Observed observed = world_.observe();
    one.make(observed, observed.indices.begin()->second);
    const auto now = plan(observed, {}, world_.now());
    const auto& status = now.indices.at(0);
    EXPECT_EQ(status.phase, Phase::kStalled) << one.reason;
    EXPECT_EQ(status.conditions.at(3).reason, one.reason) << status.message;
    for (const auto& step : now.steps) {
      EXPECT_FALSE(std::holds_alternative<DeleteIndex>(step.action)) << one.reason;
      EXPECT_FALSE(std::holds_alternative<SwapAlias>(step.action)) << one.reason;
    }
  }
}

TEST_F(PlanTest, ADeletedResourceKeepsOrDeletesWhatWasMade) {
  settle();
  world_.declare({});
  tick();
  tick();
  EXPECT_TRUE(world_.workloads().empty());
  EXPECT_EQ(world_.indices().size(), 1u);
  EXPECT_TRUE(world_.notes().empty());

  world_.declare(resources({.deletion_policy = model::DeletionPolicy::kDelete}));
  EXPECT_EQ(settle().phase, Phase::kServing);
  world_.declare({});
  tick();
  tick();
  EXPECT_TRUE(world_.indices().empty());
  EXPECT_FALSE(world_.has_topic("searchsync.default.test-runs.dead-letters"));
  EXPECT_TRUE(tick().steps.empty());
}

}  // namespace
}  // namespace searchsync::plan
