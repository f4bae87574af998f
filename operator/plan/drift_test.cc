#include "operator/plan/drift.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/planned_world.h"

namespace searchsync::plan {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr auto kCorrect = model::Drift::kCorrect;
constexpr auto kReport = model::Drift::kReport;

class DriftTest : public PlannedWorld {
 protected:
  DriftTest() {
    world_.add_foreign(kForeign);
    declare({});
    settle();
  }

  static const Condition& condition(const IndexStatus& status, const std::string& type) {
    const auto found = std::ranges::find(status.conditions, type, &Condition::type);
    EXPECT_NE(found, status.conditions.end()) << type;
    return *found;
  }

  static void expect_drift(const IndexStatus& status, const std::string& reason,
                           const std::string& message) {
    const auto& drifted = condition(status, "Drifted");
    EXPECT_EQ(drifted.status, ConditionStatus::kTrue);
    EXPECT_EQ(drifted.reason, reason);
    EXPECT_THAT(drifted.message, HasSubstr(message));
  }

  static void expect_none(const IndexStatus& status) {
    EXPECT_EQ(condition(status, "Drifted").status, ConditionStatus::kFalse)
        << condition(status, "Drifted").message;
  }

  static inline const IndexName kForeign{"runs-theirs"};
};

// Where somebody may put the alias of an index that serves.
struct Moved {
  std::string message;
  std::vector<IndexName> to;
  bool narrowed = false;
};

std::vector<Moved> moves(const IndexName& last, const IndexName& foreign) {
  return {{"leads nowhere", {}},
          {"leads to " + foreign.get(), {foreign}},
          {"leads to " + last.get() + ", " + foreign.get(), {last, foreign}},
          {"leads to a part of " + last.get(), {last}, true}};
}

TEST_F(DriftTest, TheAliasIsPutBackAtOnce) {
  const auto last = name({});
  for (const auto& moved : moves(last, kForeign)) {
    world_.point_alias("runs", moved.to);
    if (moved.narrowed) world_.narrow_alias("runs");
    const auto status = tick().indices.at(0);
    EXPECT_EQ(world_.alias("runs"), last) << moved.message;
    expect_drift(status, "AliasChanged", moved.message);
    EXPECT_THAT(condition(status, "Drifted").message, HasSubstr(last.get()));
    EXPECT_EQ(condition(status, "Stalled").status, ConditionStatus::kFalse);
    expect_none(tick().indices.at(0));
    EXPECT_TRUE(tick().steps.empty()) << moved.message;
  }
}

TEST_F(DriftTest, TheWriteAliasIsPutBackOrReported) {
  const auto index = name({});
  world_.drop_write_alias(index);
  expect_drift(tick().indices.at(0), "WriteAliasChanged", index.get() + ".Write");
  EXPECT_TRUE(world_.indices().at(index).writable);
  expect_none(tick().indices.at(0));
  EXPECT_TRUE(tick().steps.empty());

  declare({.drift = kReport});
  settle();
  world_.drop_write_alias(index);
  done();
  const auto status = settle(5);
  expect_drift(status, "WriteAliasChanged", "put it back, or set spec.drift to Correct");
  EXPECT_EQ(status.phase, Phase::kServing) << "readers are not concerned";
  EXPECT_FALSE(world_.indices().at(index).writable);
  EXPECT_EQ(done(), "");
}

TEST_F(DriftTest, TheAliasIsLeftWhereItIsOnlyReported) {
  const auto last = name({});
  declare({.drift = kReport});
  for (const auto& moved : moves(last, kForeign)) {
    world_.point_alias("runs", moved.to);
    if (moved.narrowed) world_.narrow_alias("runs");
    declare({.replicas = 2, .drift = kReport});
    done();
    const auto status = settle(5);
    EXPECT_EQ(done(), "") << moved.message;
    EXPECT_EQ(world_.workloads().size(), 3u) << "what runs, runs on";
    expect_drift(status, "AliasChanged", moved.message);
    EXPECT_THAT(status.message, HasSubstr("set spec.drift to Correct"));
    EXPECT_EQ(status.phase, Phase::kStalled);
    EXPECT_EQ(condition(status, "Stalled").reason, "AliasChanged");
    EXPECT_EQ(condition(status, "Available").status,
              moved.narrowed ? ConditionStatus::kTrue : ConditionStatus::kFalse);
    // A person puts it back.
    world_.point_alias("runs", {last});
    declare({.drift = kReport});
    expect_none(settle(3));
    EXPECT_TRUE(tick().steps.empty());
  }
  world_.point_alias("runs", {});
  declare({});
  tick();
  EXPECT_EQ(world_.alias("runs"), last);
}

TEST_F(DriftTest, ARollbackByHandIsTakenBackWithoutShowingAnythingOlder) {
  declare({.shape = 1});
  settle(12);
  ASSERT_EQ(world_.alias("runs"), name({.shape = 1}));
  ASSERT_TRUE(world_.indices().contains(name({}))) << "kept warm";
  settle(8);  // the next Lead record may come
  world_.change_rows();
  world_.work(20);
  world_.quiet();
  done();
  world_.point_alias("runs", {name({})});
  auto status = settle(2);
  expect_drift(status, "AliasChanged", "set spec.reindex.serve");
  EXPECT_THAT(status.message, HasSubstr("it is put back"));
  EXPECT_THAT(done(), HasSubstr("hand the lead"));
  settle(3);  // the fake world checks that no reader sees anything older
  EXPECT_EQ(world_.alias("runs"), name({.shape = 1}));

  // Declared, it is what is declared.
  declare({.shape = 1, .drift = kReport});
  settle(2);
  world_.point_alias("runs", {name({})});
  EXPECT_EQ(settle(30).phase, Phase::kStalled);
  EXPECT_TRUE(world_.indices().contains(name({.shape = 1}))) << "where the alias may be put back";
  declare({.shape = 1, .serve = name({}).get(), .drift = kReport});
  status = settle(3);
  expect_none(status);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.alias, name({}));
}

TEST_F(DriftTest, TheAliasGoesBackToWhatServedNotOnToWhatIsNotApproved) {
  const Declared waiting{.shape = 1, .approval = model::Approval::kManual};
  declare(waiting);
  settle(20);
  for (const auto& moved : moves(name({}), kForeign)) {
    world_.point_alias("runs", moved.to);
    if (moved.narrowed) world_.narrow_alias("runs");
    const auto status = settle(40);
    EXPECT_EQ(world_.alias("runs"), name({})) << moved.message;
    EXPECT_EQ(status.phase, Phase::kAwaitingApproval) << status.message;
  }
  // Whoever moves the alias to what is declared and complete has approved of it.
  world_.point_alias("runs", {name(waiting)});
  const auto status = settle(2);
  expect_none(status);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.alias, name(waiting));
}

TEST_F(DriftTest, WhatIsNotCompleteIsLeftAtOnce) {
  declare({.shape = 1});
  tick();
  tick();
  ASSERT_TRUE(world_.indices().contains(name({.shape = 1})));
  world_.point_alias("runs", {name({.shape = 1})});
  auto status = tick().indices.at(0);
  expect_drift(status, "AliasChanged", "leads to " + name({.shape = 1}).get());
  EXPECT_EQ(world_.alias("runs"), name({}));
  status = settle();
  EXPECT_EQ(status.alias, name({.shape = 1})) << "once it is complete it is served";
}

TEST_F(DriftTest, TheOperatorsOwnMoveIsNone) {
  declare({.shape = 1});
  for (int i = 0; i < 40 && world_.alias("runs") != name({.shape = 1}); ++i) tick();
  ASSERT_EQ(world_.alias("runs"), name({.shape = 1}));
  // What is declared changes before anybody has seen the alias there.
  declare({.shape = 2, .drift = kReport});
  expect_none(tick().indices.at(0));
  EXPECT_EQ(settle(40).alias, name({.shape = 2}));
}

TEST_F(DriftTest, WithoutNotesTheAliasIsRight) {
  declare({.shape = 1});
  settle(12);
  ASSERT_EQ(world_.alias("runs"), name({.shape = 1}));
  world_.point_alias("runs", {name({})});
  world_.lose_notes();
  const auto status = tick().indices.at(0);
  EXPECT_EQ(status.alias, name({}));
  expect_none(status);
  EXPECT_EQ(settle().alias, name({.shape = 1})) << "what is declared is served in the end";
}

TEST_F(DriftTest, AnAliasThatWasOthersIsTakenWhereAskedForAndTheirIndexStays) {
  for (const bool two : {false, true}) {
    FakeWorld world(3);
    for (const auto* table : kTables) world.add_source(table, 5);
    const IndexName other("theirs");
    world.add_foreign(kForeign);
    world.add_foreign(other);
    const auto alias = two ? std::vector{kForeign, other} : std::vector{kForeign};
    world.point_alias("runs", alias);
    std::swap(world, world_);
    declare({});
    const auto status = settle();
    EXPECT_EQ(world_.aliases().at("runs").to, alias);
    EXPECT_EQ(condition(status, "Stalled").reason, two ? "AliasAmbiguous" : "AliasForeign");
    expect_none(status);
    declare({.adoption = model::Adoption::kTakeAlias});
    EXPECT_EQ(settle().alias, name({}));
    // Now it is ours: to put it back is not to take it.
    declare({});
    world_.point_alias("runs", alias);
    tick();
    EXPECT_EQ(world_.alias("runs"), name({}));
  }
}

TEST_F(DriftTest, SettingsArePutRightOrReported) {
  const auto index = name({});
  const auto right = world_.indices().at(index).settings;
  struct Case {
    std::string message;
    IndexSettings settings;
  };
  Case cases[] = {
      {"has 5 replicas", right}, {"no refresh", right}, {"gc_deletes of 1000 ms", right}};
  cases[0].settings.replicas = 5;
  cases[1].settings.refresh_interval = kNeverRefreshed;
  cases[2].settings.gc_deletes = seconds(1);
  for (const auto& one : cases) {
    declare({.drift = kReport});
    tick();
    world_.set_by_hand(index, one.settings);
    done();
    auto status = settle(5);
    EXPECT_EQ(done(), "") << one.message;
    expect_drift(status, "SettingsChanged", one.message);
    EXPECT_THAT(status.message, HasSubstr("not 1 replicas and a refresh every 1000 ms"));
    EXPECT_EQ(status.phase, Phase::kServing);
    EXPECT_EQ(condition(status, "Ready").status, ConditionStatus::kTrue);

    declare({.suspend = true});
    expect_drift(tick().indices.at(0), "SettingsChanged", "spec.suspend");
    EXPECT_EQ(world_.indices().at(index).settings, one.settings);

    declare({});
    tick();
    EXPECT_EQ(world_.indices().at(index).settings, right) << one.message;
    expect_none(tick().indices.at(0));
    EXPECT_TRUE(tick().steps.empty());
  }
}

TEST_F(DriftTest, WhatAPersonDeclaresIsAppliedUnderBothPolicies) {
  const auto index = name({});
  for (const auto policy : {kCorrect, kReport}) {
    declare({.replicas = 3, .drift = policy});
    tick();
    EXPECT_EQ(world_.indices().at(index).settings.replicas, 3);
    tick();
    // Over what somebody else has set, too.
    auto settings = world_.indices().at(index).settings;
    settings.replicas = 7;
    settings.gc_deletes = seconds(1);
    world_.set_by_hand(index, settings);
    declare({.replicas = 4, .drift = policy});
    expect_none(tick().indices.at(0));
    EXPECT_EQ(world_.indices().at(index).settings.replicas, 4);
    EXPECT_EQ(world_.indices().at(index).settings.gc_deletes, model::kGcDeletes);
    // And taken back before anybody has seen that it was done.
    declare({.replicas = 3, .drift = policy});
    expect_none(tick().indices.at(0));
    EXPECT_EQ(world_.indices().at(index).settings.replicas, 3);
    expect_none(tick().indices.at(0));
  }
}

TEST_F(DriftTest, AnIndexThatIsNotRefreshedByHandWaits) {
  declare({.shape = 1, .approval = model::Approval::kManual, .drift = kReport});
  settle();
  const auto index = name({.shape = 1});
  auto settings = world_.indices().at(index).settings;
  settings.refresh_interval = kNeverRefreshed;
  world_.set_by_hand(index, settings);
  declare({.shape = 1, .drift = kReport});
  const auto status = settle(5);
  EXPECT_EQ(status.alias, name({}));
  EXPECT_THAT(status.message, HasSubstr("refresh_interval is -1"));
  expect_drift(status, "SettingsChanged", index.get());
  declare({.shape = 1});
  EXPECT_EQ(settle(10).alias, index);
}

TEST_F(DriftTest, AnIndexThatIsClosedIsReportedAndLeftAlone) {
  const auto index = name({});
  const auto right = world_.indices().at(index).settings;
  for (const auto policy : {kReport, kCorrect}) {
    declare({.drift = policy});
    tick();
    world_.close(index);
    world_.set_by_hand(index, {});
    done();
    auto status = settle(3);
    EXPECT_EQ(done(), "");
    expect_drift(status, "IndexClosed", "POST /" + index.get() + "/_open");
    EXPECT_EQ(condition(status, "Ready").reason, "IndexClosed");
    EXPECT_EQ(condition(status, "Available").reason, "IndexClosed");
    // Nor is the alias put back on it.
    world_.point_alias("runs", {});
    expect_drift(settle(3), "AliasChanged", "is closed");
    EXPECT_EQ(done(), "");
    world_.point_alias("runs", {index});
    world_.open(index);
    declare({});
    expect_none(settle(3));
    EXPECT_EQ(world_.indices().at(index).settings, right);
  }
  // Another one is built beside it, and served only if it is open itself.
  declare({.shape = 1, .approval = model::Approval::kManual});
  settle(20);
  world_.close(name({.shape = 1}));
  declare({.shape = 1});
  const auto status = settle(3);
  EXPECT_EQ(status.alias, index);
  EXPECT_THAT(status.message, HasSubstr("it is closed"));
  expect_drift(status, "IndexClosed", name({.shape = 1}).get());
  world_.open(name({.shape = 1}));
  EXPECT_EQ(settle(10).alias, name({.shape = 1}));
}

TEST_F(DriftTest, MappingsAreReportedAndNeverRebuiltUnasked) {
  for (const auto policy : {kReport, kCorrect}) {
    declare({.drift = policy});
    world_.add_field(name({}));
    done();
    const auto status = settle(5);
    EXPECT_EQ(done(), "");
    expect_drift(status, "MappingsChanged", "field x is new");
    EXPECT_THAT(status.message, HasSubstr("raise spec.reindex.revision"));
    EXPECT_EQ(status.phase, Phase::kServing);
    EXPECT_EQ(condition(status, "Ready").status, ConditionStatus::kTrue);
    EXPECT_TRUE(tick().steps.empty());
  }
  declare({.shape = 1});
  expect_none(settle());
}

TEST_F(DriftTest, MetaIsWrittenAgainWhereItIsKnown) {
  const auto index = name({});
  declare({.drift = kReport});
  world_.drop_meta(index);
  done();
  auto status = settle(5);
  EXPECT_EQ(done(), "");
  expect_drift(status, "MappingsChanged", "_meta");
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(world_.workloads().size(), 3u);

  declare({});
  tick();
  EXPECT_EQ(done(), fmt::format("write _meta of index {} again\n", index.get()));
  expect_none(tick().indices.at(0));
  EXPECT_TRUE(tick().steps.empty());
}

TEST_F(DriftTest, WhatHasNoMetaRunsOnAndIsNotDeleted) {
  world_.drop_meta(name({}));
  declare({.shape = 1});
  auto status = settle(3);
  EXPECT_TRUE(world_.workloads().contains("worker-" + name({}).get() + "-g1"));
  EXPECT_EQ(world_.alias("runs"), name({}));
  expect_drift(status, "MappingsChanged", "or delete the index");
  status = settle(60);
  EXPECT_EQ(status.alias, name({.shape = 1}));
  EXPECT_TRUE(world_.indices().contains(name({})));
  world_.put_meta_back(name({}));
  expect_none(settle());
  EXPECT_FALSE(world_.indices().contains(name({}))) << "not kept warm any longer";
  EXPECT_EQ(world_.workloads().size(), 3u);
}

// An index that only looks like ours: nobody remembers having made it.
TEST_F(DriftTest, WhatNobodyRemembersIsNotOurs) {
  world_.drop_meta(name({}));
  world_.lose_notes();
  done();
  const auto status = tick().indices.at(0);
  EXPECT_EQ(condition(status, "Stalled").reason, "AliasForeign");
  EXPECT_THAT(done(), testing::Not(HasSubstr("index")));
}

}  // namespace
}  // namespace searchsync::plan
