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
      if (world_.execute(step) == FakeWorld::Outcome::kFailed) break;
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
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));
  EXPECT_TRUE(did(fmt::format("create index {} (generation 2)", name({.shape = 1}).get())));
  EXPECT_TRUE(did("hand the lead"));
  EXPECT_TRUE(world_.indices().contains(name({}))) << "kept warm";
  settle();
  EXPECT_FALSE(world_.indices().contains(name({})));
  EXPECT_EQ(world_.workloads().size(), 3u);
}

TEST_F(PlanTest, AnEditTakenBackMovesTheAliasBackInSeconds) {
  settle();
  world_.declare(resources({.shape = 1}));
  settle(20);
  ASSERT_EQ(world_.alias("runs"), name({.shape = 1}));
  world_.declare(resources({.approval = model::Approval::kManual}));
  tick();
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));
  settle(3);
  EXPECT_EQ(world_.alias("runs"), name({}));
  EXPECT_EQ(world_.indices().size(), 2u);
}

// What one has shown the other must have: the Lead record says up to where, and only for a while.
TEST_F(PlanTest, TheAliasMovesSoonAfterTheLeadOrAfterAnotherOne) {
  settle();
  world_.declare(resources({.shape = 1}));
  for (int i = 0; i < 60 && !did("hand the lead"); ++i) tick();
  ASSERT_TRUE(did("hand the lead"));
  ASSERT_EQ(world_.alias("runs"), name({}));
  done_.clear();
  world_.pass(seconds(4));
  const auto status = tick().indices.at(0);
  EXPECT_FALSE(did("move alias")) << "too late";
  EXPECT_FALSE(did("hand the lead")) << "too soon";
  EXPECT_NE(status.message.find("what readers have seen"), std::string::npos) << status.message;
  world_.pass(seconds(14));
  tick();
  EXPECT_TRUE(did("hand the lead"));
  EXPECT_FALSE(did("move alias"));
  tick();
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));
}

TEST_F(PlanTest, WhatComesBehindTheLeadHoldsTheAliasUpNoLonger) {
  settle();
  world_.declare(resources({.shape = 1}));
  for (int i = 0; i < 60 && !did("hand the lead"); ++i) tick();
  world_.work(200);
  auto observed = world_.observe();
  const auto declared = resources({.shape = 1});
  const auto log = model::document_log_name(declared.indices[0], declared.bindings);
  auto& end = observed.indices.begin()->second.topics.at(log).end.at(0);
  end = Offset(end.get() + 100'000);
  const auto next = plan(observed, {}, world_.now());
  ASSERT_FALSE(next.steps.empty()) << next.indices.at(0).message;
  EXPECT_TRUE(describe(next.steps.back().action).starts_with("move alias runs from"));
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
  world_.declare(
      resources({.shape = 1, .approval = model::Approval::kManual, .approved = name({}).get()}));
  status = settle(5);
  EXPECT_EQ(status.phase, Phase::kAwaitingApproval) << "another index is approved";
  world_.declare(resources(
      {.shape = 1, .approval = model::Approval::kManual, .approved = name({.shape = 1}).get()}));
  status = settle(5);
  EXPECT_EQ(status.alias, name({.shape = 1}));
}

TEST_F(PlanTest, AFormerIndexIsServedOnRequestWhateverIsDeclared) {
  settle();
  world_.declare(resources({.shape = 1}));
  settle(20);
  ASSERT_EQ(world_.alias("runs"), name({.shape = 1}));
  world_.declare(resources({.shape = 1, .serve = name({}).get()}));
  settle(3);
  EXPECT_EQ(world_.alias("runs"), name({}));
  auto status = settle(5);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(world_.indices().size(), 2u) << "what is declared is kept warm";
  EXPECT_NE(status.message.find("spec.reindex.serve"), std::string::npos) << status.message;
  world_.declare(resources({.shape = 1}));
  settle(15);  // the one in service stands still for a while after it took over
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));
  world_.declare(resources({.shape = 1, .serve = "runs-gone"}));
  status = settle(5);
  EXPECT_EQ(status.phase, Phase::kStalled);
  EXPECT_NE(status.message.find(name({}).get()), std::string::npos) << status.message;
  EXPECT_EQ(status.alias, name({.shape = 1}));
}

TEST_F(PlanTest, AnIndexWhoseDocumentsAreRefusedDoesNotTakeOver) {
  world_.refuse(2);
  EXPECT_EQ(settle().alias, name({})) << "there is nothing better to serve";
  world_.declare(resources({.shape = 1}));
  for (int i = 0; i < 60 && !did("have generation 2 write"); ++i) tick();
  world_.refuse(5);
  const auto status = settle(20);
  EXPECT_EQ(world_.alias("runs"), name({}));
  EXPECT_EQ(status.phase, Phase::kBuilding);
  EXPECT_NE(status.message.find("refused 3 of its"), std::string::npos) << status.message;
  world_.refuse(4);  // as many as were before: it may be the same ones
  settle(20);
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));
}

TEST_F(PlanTest, AnIndexThatFailsItsChecksNeverServes) {
  settle();
  world_.find(2);
  world_.declare(resources({.shape = 1, .hits_min = 3}));
  auto status = settle();
  EXPECT_EQ(status.phase, Phase::kChecking);
  EXPECT_EQ(status.alias, name({}));
  EXPECT_NE(status.message.find("finds 2 documents, fewer than 3"), std::string::npos);
  world_.find(3);
  status = settle(5);
  EXPECT_EQ(status.alias, name({.shape = 1}));
}

TEST_F(PlanTest, AnAliasOfOthersIsTakenWhenAskedFor) {
  settle();
  auto observed = world_.observe();
  observed.indices.begin()->second.alias = {IndexName("theirs")};
  observed.indices.begin()->second.notes.serving.reset();
  observed.resources.indices[0].spec.adoption = model::Adoption::kTakeAlias;
  const auto now = plan(observed, {}, world_.now());
  const auto swap = std::ranges::find_if(
      now.steps, [](const auto& step) { return std::holds_alternative<SwapAlias>(step.action); });
  ASSERT_NE(swap, now.steps.end());
  EXPECT_EQ(std::get<SwapAlias>(swap->action).from, std::vector{IndexName("theirs")});
  EXPECT_EQ(std::get<SwapAlias>(swap->action).to, name({}));
}

TEST_F(PlanTest, WorkersSleepAndWakeUp) {
  world_.declare(resources({.autoscaling = true}));
  auto status = settle();
  EXPECT_EQ(status.phase, Phase::kServing);
  const auto workers = [&] {
    for (const auto& [key, workload] : world_.workloads()) {
      if (workload.role == Role::kWorker) return workload.replicas;
    }
    return -1;
  };
  EXPECT_EQ(workers(), 0);
  world_.change_rows();
  for (int i = 0; i < 20 && workers() == 0; ++i) tick();
  EXPECT_GE(workers(), 1);
  world_.quiet();
  settle();
  EXPECT_EQ(workers(), 0);
  EXPECT_TRUE(world_.settled(name({})));
}

TEST_F(PlanTest, WhatCanChangeInPlaceDoes) {
  settle();
  world_.declare(resources({.replicas = 2}));
  done_.clear();
  settle(5);
  EXPECT_TRUE(did("set 2 replicas"));
  EXPECT_FALSE(did("create index"));
  EXPECT_EQ(world_.indices().at(name({})).settings.replicas, 2);
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
  EXPECT_EQ(world_.slots().size(), 1u) << "it will go on where it was";
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
  world_.remove_index(name({}));
  const auto status = settle();
  EXPECT_EQ(status.phase, Phase::kServing) << status.message;
  EXPECT_TRUE(world_.settled(name({})));
  EXPECT_TRUE(tick().steps.empty());
}

// Its workers are still members of the groups that have to be forgotten.
TEST_F(PlanTest, AnIndexDeletedByHandWithItsLogIsMadeAnew) {
  settle();
  const auto declared = resources({});
  world_.remove_topic(model::document_log_name(declared.indices[0], declared.bindings));
  EXPECT_EQ(tick().indices.at(0).phase, Phase::kStalled);
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
      {"AliasForeign",
       [](Observed&, ObservedIndex& i) {
         i.alias = {IndexName("theirs")};
         i.notes.serving.reset();
       }},
      {"AliasAmbiguous",
       [](Observed&, ObservedIndex& i) {
         i.alias.push_back(IndexName("theirs"));
         i.notes.serving.reset();
       }},
      {"AliasNotAvailable", [](Observed&, ObservedIndex& i) { i.alias_fault = "an index"; }},
      {"IndexNameTaken",
       [](Observed& o, ObservedIndex& i) {
         o.resources = resources({.shape = 1});
         i.foreign = {{name({.shape = 1}), ""}};
       }},
      {"IndexNameClaimed",
       [](Observed&, ObservedIndex& i) {
         i.alias = {IndexName("theirs")};
         i.foreign = {{IndexName("theirs"), "qa/runs"}};
         i.claims = {{"qa/runs", Claim::kAfter}};
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

TEST_F(PlanTest, ASlotIsDroppedOnlyWhenItIsKnownThatNobodyNeedsIt) {
  settle();
  ASSERT_EQ(world_.slots(), std::set<std::string>{"capture-db"});
  const auto drops = [&](const Observed& observed) {
    const auto now = plan(observed, {}, world_.now());
    return std::ranges::any_of(
        now.steps, [](const auto& step) { return std::holds_alternative<DropSlot>(step.action); });
  };
  Observed observed = world_.observe();
  EXPECT_FALSE(drops(observed));
  observed.captures.insert("capture-former");
  EXPECT_TRUE(drops(observed));
  observed.indices.begin()->second.engine_fault = "away";
  EXPECT_FALSE(drops(observed)) << "what an index needs is not known";
  observed.resources_known = false;
  EXPECT_FALSE(drops(observed));
}

TEST_F(PlanTest, OneOfSeveralThatWantANameHasIt) {
  settle();
  const Observed serving = world_.observe();
  struct Case {
    std::string what;
    bool built, served, theirs_built, theirs_served;
    std::map<ObjectKey, Claim> claims;
    std::string owner;  // empty: it is ours
  };
  const std::map<ObjectKey, Claim> before = {{"qa/runs", Claim::kBefore}};
  const std::map<ObjectKey, Claim> after = {{"qa/runs", Claim::kAfter}};
  const Case cases[] = {
      {"nobody else", true, true, false, false, {}, ""},
      {"declared first, nothing is built", false, false, false, false, after, ""},
      {"declared later, nothing is built", false, false, false, false, before, "qa/runs"},
      {"declared later, but built first", true, false, false, false, before, ""},
      {"declared first, but built later", false, false, true, false, after, "qa/runs"},
      {"both built", true, false, true, false, after, ""},
      {"both built, declared later", true, false, true, false, before, "qa/runs"},
      {"declared later, but served", true, true, true, false, before, ""},
      {"declared first, but they are served", true, false, true, true, after, "qa/runs"},
      {"a former one's is being built", false, false, true, false, {}, ""},
  };
  for (const auto& one : cases) {
    Observed observed = serving;
    auto& seen = observed.indices.begin()->second;
    if (!one.built) seen.generations.clear();
    if (!one.served) seen.alias.clear();
    if (one.theirs_built) seen.foreign = {{IndexName("runs-theirs"), "qa/runs"}};
    if (one.theirs_served) seen.alias = {IndexName("runs-theirs")};
    seen.claims = one.claims;
    // What is declared to be taken is not taken from who is there.
    observed.resources.indices[0].spec.adoption = model::Adoption::kTakeAlias;
    const auto now = plan(observed, {}, world_.now());
    const auto& stalled = now.indices.at(0).conditions.at(3);
    if (one.owner.empty()) {
      EXPECT_NE(stalled.reason, "IndexNameClaimed") << one.what << ": " << stalled.message;
      continue;
    }
    EXPECT_EQ(stalled.reason, "IndexNameClaimed") << one.what;
    EXPECT_NE(stalled.message.find(one.owner), std::string::npos) << stalled.message;
    for (const auto& step : now.steps) {
      EXPECT_FALSE(std::holds_alternative<CreateIndex>(step.action)) << one.what;
      EXPECT_FALSE(std::holds_alternative<SwapAlias>(step.action)) << one.what;
      EXPECT_FALSE(std::holds_alternative<DeleteIndex>(step.action)) << one.what;
    }
  }
}

TEST_F(PlanTest, ANameGoesToTheNextWhenItsOwnerIsGone) {
  auto both = resources({.deletion_policy = model::DeletionPolicy::kDelete});
  const auto later = resources({.shape = 1});
  for (auto index : later.indices) {
    index.metadata.namespace_ = "later";
    both.indices.push_back(index);
  }
  for (auto binding : later.bindings) {
    binding.metadata.namespace_ = "later";
    both.bindings.push_back(binding);
  }
  world_.declare(both);
  settle();
  EXPECT_EQ(world_.alias("runs"), name({}));
  EXPECT_EQ(world_.indices().size(), 1u) << "the other has touched nothing";
  std::erase_if(both.indices, [](const auto& one) { return one.metadata.namespace_ != "later"; });
  std::erase_if(both.bindings, [](const auto& one) { return one.metadata.namespace_ != "later"; });
  world_.declare(both);
  settle();
  ASSERT_TRUE(world_.aliases().contains("runs"));
  EXPECT_EQ(world_.indices().at(world_.alias("runs")).recipe.index.metadata.namespace_, "later");
}

TEST_F(PlanTest, ADeletedResourceKeepsOrDeletesWhatWasMade) {
  settle();
  world_.declare({});
  tick();
  tick();
  EXPECT_TRUE(world_.workloads().empty());
  EXPECT_EQ(world_.indices().size(), 1u);
  EXPECT_TRUE(world_.notes().empty());
  EXPECT_TRUE(world_.slots().empty()) << "nobody is left to move it on";

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
