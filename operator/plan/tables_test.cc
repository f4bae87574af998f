// Events that are aggregated: their tables, the processes that write them, what is said of them.

#include "operator/plan/tables.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/fake_world.h"
#include "operator/plan/gate.h"
#include "operator/plan/test_resources.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

using std::chrono::seconds;

std::string table_of(const Declared& declared) {
  return model::row_topic(resources(declared).bindings.back());
}

class TablesPlanTest : public testing::Test {
 protected:
  TablesPlanTest() : world_(7) {
    for (const auto* table : kTables) world_.add_source(table, 5);
    world_.add_events(kCountedTopic, 9);
  }

  void declare(Declared declared) { world_.declare(resources(declared)); }

  Plan settle(int ticks = 40, int work = 200) {
    Plan last;
    for (int i = 0; i < ticks; ++i) {
      world_.pass(seconds(2));
      world_.work(work);
      last = plan(world_.observe(), {}, world_.now());
      for (const auto& step : last.steps) {
        done_.push_back(describe(step.action));
        world_.execute(step);
      }
      EXPECT_EQ(world_.broken_invariant(), "");
    }
    return last;
  }

  size_t place(const std::string& start) const {
    const auto found =
        std::ranges::find_if(done_, [&](const auto& done) { return done.starts_with(start); });
    return static_cast<size_t>(found - done_.begin());
  }
  bool done(const std::string& start) const { return place(start) < done_.size(); }

  static const BindingStatus& visit(const Plan& plan) {
    const auto found = std::ranges::find(plan.bindings, "visit", &BindingStatus::name);
    EXPECT_NE(found, plan.bindings.end());
    return *found;
  }

  FakeWorld world_;
  std::vector<std::string> done_;
};

TEST_F(TablesPlanTest, TheTableIsMadeThenTheProcessesThenTheIndexServes) {
  declare({.counts = 1});
  const Plan plan = settle();
  const auto table = table_of({.counts = 1});
  EXPECT_LT(place(fmt::format("create topic {} (1 partitions)", table)),
            place("run aggregate-test-runs (1 of aggregate)"));
  EXPECT_TRUE(done("run aggregate-test-runs"));
  EXPECT_EQ(plan.indices.at(0).phase, Phase::kServing);
  EXPECT_TRUE(plan.steps.empty());
  EXPECT_EQ(visit(plan).state, "Running");
  EXPECT_EQ(visit(plan).lag_records, 0);
}

TEST_F(TablesPlanTest, ItIsThereBeforeTheIndexThatIsBuiltFromIt) {
  const Declared over_http{.counts = 1, .counts_http = true};
  declare(over_http);
  const Plan plan = settle();
  const auto table = table_of(over_http);
  EXPECT_TRUE(done("create topic " + table));
  EXPECT_LT(place(fmt::format("create topic {}", kCountedEventTopic)),
            place("create topic " + table));
  EXPECT_LT(place("create topic " + table), place("create index"));
  EXPECT_EQ(plan.indices.at(0).phase, Phase::kServing);
  EXPECT_EQ(visit(plan).state, "Running");
}

TEST_F(TablesPlanTest, EventsMayComeLaterThanWhatCountsThem) {
  const auto later = [](Observed observed) {
    observed.indices.at("default/test-runs").topics.erase(kCountedTopic);
    return observed;
  };
  declare({.counts = 1});
  for (int i = 0; i < 5; ++i) {
    world_.pass(seconds(2));
    for (const auto& step : plan(later(world_.observe()), {}, world_.now()).steps) {
      world_.execute(step);
    }
  }
  EXPECT_TRUE(world_.indices().empty()) << "it would be built from a table that is not there";
  EXPECT_EQ(settle().indices.at(0).phase, Phase::kServing);
}

TEST_F(TablesPlanTest, AnotherDefinitionIsCountedBesideTheOneInService) {
  declare({.counts = 1});
  settle();
  declare({.counts = 2});
  const auto before = table_of({.counts = 1}), after = table_of({.counts = 2});
  settle(4);
  EXPECT_TRUE(world_.has_topic(before));
  EXPECT_TRUE(world_.has_topic(after));
  const auto config =
      model::parse_aggregate_config(world_.workloads().at("aggregate-test-runs").config);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->bindings.size(), 2u) << "what serves is counted on";
  const Plan plan = settle(80);  // keepWarm passes
  EXPECT_FALSE(world_.has_topic(before));
  EXPECT_LT(place("delete topic " + before), place("delete consumer group " + before));
  EXPECT_TRUE(done("delete consumer group " + model::aggregate_group(before)));
  EXPECT_TRUE(world_.has_topic(after));
  EXPECT_EQ(plan.indices.at(0).phase, Phase::kServing);
}

TEST_F(TablesPlanTest, WhatReadsNoEventsLeavesNothingBehind) {
  declare({.counts = 1});
  settle();
  declare({});
  settle(120);
  EXPECT_FALSE(world_.workloads().contains("aggregate-test-runs"));
  EXPECT_FALSE(world_.has_topic(table_of({.counts = 1})));
  EXPECT_TRUE(world_.has_topic(kCountedTopic)) << "the events are somebody else's";
}

TEST_F(TablesPlanTest, ADeletedIndexTakesItsTables) {
  declare({.counts = 1, .deletion_policy = model::DeletionPolicy::kDelete});
  settle();
  world_.declare({});
  settle();
  EXPECT_FALSE(world_.has_topic(table_of({.counts = 1})));
  EXPECT_TRUE(world_.workloads().empty() || !world_.workloads().contains("aggregate-test-runs"));
}

TEST_F(TablesPlanTest, AConditionThatCannotPassIsAStall) {
  declare({.counts = 1});
  auto observed = world_.observe();
  auto& seen = observed.indices.at("default/test-runs");
  const auto stall = [&] {
    const Plan plan = plan::plan(observed, {}, world_.now());
    const auto& conditions = plan.indices.at(0).conditions;
    return std::ranges::find(conditions, "Stalled", &Condition::type)->reason;
  };
  EXPECT_EQ(stall(), "Progressing");
  seen.topics.at(kCountedTopic).begin = {Offset(3)};
  EXPECT_EQ(stall(), "EventsGone");
  observed.resources.bindings.back().spec.aggregate->history = model::EventHistory::kKept;
  EXPECT_EQ(stall(), "Progressing");
  seen.topics[table_of({.counts = 1})] = {.begin = {Offset(0), Offset(0)},
                                          .end = {Offset(0), Offset(0)}};
  EXPECT_EQ(stall(), "EventPartitionsChanged");
}

TEST_F(TablesPlanTest, ATableThatIsGoneIsNotMadeAnewUnderAnIndex) {
  declare({.counts = 1});
  settle();
  auto observed = world_.observe();
  observed.indices.at("default/test-runs").topics.erase(table_of({.counts = 1}));
  const Plan plan = plan::plan(observed, {}, world_.now());
  const auto& conditions = plan.indices.at(0).conditions;
  EXPECT_EQ(std::ranges::find(conditions, "Stalled", &Condition::type)->reason, "TableLost");
}

TEST_F(TablesPlanTest, ReadyNeedsProcessesUnlessNoneIsDeclared) {
  declare({.counts = 1});
  settle();
  auto observed = world_.observe();
  const auto ready = [&] {
    const Plan plan = plan::plan(observed, {}, world_.now());
    const auto& conditions = plan.indices.at(0).conditions;
    return std::pair(std::ranges::find(conditions, "Ready", &Condition::type)->reason,
                     visit(plan).state);
  };
  EXPECT_EQ(ready(), std::pair(std::string("Serving"), std::string("Running")));
  const auto running =
      std::ranges::find(observed.workloads, "aggregate-test-runs", &ObservedWorkload::name);
  ASSERT_NE(running, observed.workloads.end());
  running->halts["visit"] = "too many dead letters";
  EXPECT_EQ(ready(), std::pair(std::string("BindingHalted"), std::string("Halted")));
  running->halts.clear();
  running->processes.at(0).state = ProcessState::kRunning;
  EXPECT_EQ(ready(), std::pair(std::string("AggregatesNotReady"), std::string("Waiting")));
  observed.resources.indices[0].spec.aggregates.replicas = 0;
  EXPECT_EQ(ready().first, "Serving");
}

TEST_F(TablesPlanTest, ACompleteGenerationHasWhatWasCountedToTheGate) {
  declare({.counts = 1});
  const auto declared = resources({.counts = 1});
  const auto table = table_of({.counts = 1});
  settle();
  auto observed = world_.observe();
  auto& seen = observed.indices.at("default/test-runs");
  const auto group = model::aggregate_group(table);
  const auto bindings = bindings_of(observed.resources, observed.resources.indices[0]);
  const auto advance = [&](GenerationNote note) {
    return advance_gate({.index = observed.resources.indices[0],
                         .bindings = bindings,
                         .observed = observed,
                         .seen = seen,
                         .generation = seen.generations.at(0),
                         .leader = nullptr,
                         .now = world_.now()},
                        std::move(note));
  };
  seen.groups.at(group).at(kCountedTopic) = {Offset(4)};
  const auto waiting = advance({.generation = Generation(1)});
  EXPECT_EQ(waiting.waiting, GateOutcome::Waiting::kFold);
  EXPECT_EQ(waiting.message, "5 events are not yet counted");
  // Counted, it is the table that has to be routed, up to the end that it has by then.
  seen.groups.at(group).at(kCountedTopic) = {Offset(9)};
  seen.topics.at(table).end = {Offset(1000)};
  const auto routed = advance(waiting.note);
  EXPECT_EQ(routed.note.gate->sources.at(table), Offsets{Offset(1000)});
  EXPECT_NE(routed.message.find("source records are not yet routed"), std::string::npos);
}

}  // namespace
}  // namespace searchsync::plan
