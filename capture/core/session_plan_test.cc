#include "capture/core/session_plan.h"

#include <gtest/gtest.h>

#include <functional>

namespace searchsync::capture {
namespace {

SessionFacts facts() {
  SessionFacts facts;
  facts.capture_name = "bug-db";
  facts.system_id = "1";
  facts.timeline = 1;
  facts.written = postgres::Lsn(500);
  facts.slot = {.exists = true, .lost = false, .confirmed = postgres::Lsn(90)};
  facts.publication_exists = true;
  facts.tables = {{.schema = "public",
                   .name = "t",
                   .topic = "bug-db.public.t",
                   .key_columns = {"id"},
                   .form = "f",
                   .make = {},
                   .filled = {},
                   .topic_epoch = {}}};
  return facts;
}

CaptureState saved() {
  CaptureState state = plan_session(std::nullopt, facts()).state;
  state.flushed = postgres::Lsn(100);
  TableState& table = state.tables.at("public.t");
  table.phase = SnapshotPhase::kDone;
  table.floor = 77;
  return state;
}

const TableState& table(const SessionPlan& plan) {
  return plan.state.tables.at("public.t");
}

const TableMake kMake{
    .oid = "1", .columns = "c", .file = "9", .alterations = "a", .partitions = {}};

// What becomes of a table that was read to its end, made so, and is made as `now` when looked at.
TableState altered(const TableMake& now) {
  CaptureState before = saved();
  before.tables.at("public.t").make = kMake;
  SessionFacts facts_now = facts();
  facts_now.tables[0].make = now;
  return table(plan_session(before, facts_now));
}

TEST(SessionPlan, ReadsAnewWhatAnAlterTableChangedUnsaid) {
  EXPECT_EQ(altered(kMake).phase, SnapshotPhase::kDone);
  // ADD COLUMN … DEFAULT; or dropped and added again, with the same name and type.
  const TableState added = altered({"1", "d", "9", "b", {}});
  EXPECT_EQ(added.phase, SnapshotPhase::kRunning);
  EXPECT_EQ(added.epoch, 1u);
  EXPECT_EQ(added.make.columns, "d");
  // ALTER COLUMN … USING: keys may have changed, too.
  const TableState rewritten = altered({"1", "c", "10", "b", {}});
  EXPECT_EQ(rewritten.epoch, 2u);
  EXPECT_TRUE(rewritten.sweep);
  EXPECT_EQ(rewritten.phase, SnapshotPhase::kRunning);
  // DROP TABLE, CREATE TABLE.
  EXPECT_EQ(altered({"2", "c", "9", "a", {}}).epoch, 2u);
}

TEST(SessionPlan, ReadsNothingAnewForWhatChangesNoRow) {
  // TRUNCATE, VACUUM FULL; SET NOT NULL.
  for (const TableMake& now :
       {TableMake{"1", "c", "10", "a", {}}, TableMake{"1", "c", "9", "b", {}}}) {
    const TableState state = altered(now);
    EXPECT_EQ(state.phase, SnapshotPhase::kDone);
    EXPECT_EQ(state.epoch, 1u);
    EXPECT_EQ(state.make, now);
  }
}

// What becomes of a table that was read to its end, with the partitions 1:1 and 2:2.
TableState partitioned(const std::set<std::string>& now, const std::set<std::string>& filled) {
  CaptureState before = saved();
  before.tables.at("public.t").make = kMake;
  before.tables.at("public.t").make.partitions = {"1:1", "2:2"};
  SessionFacts facts_now = facts();
  facts_now.tables[0].make = kMake;
  facts_now.tables[0].make.partitions = now;
  facts_now.tables[0].filled = filled;
  return table(plan_session(before, facts_now));
}

TEST(SessionPlan, ReadsAnewWhatHappenedToPartitions) {
  EXPECT_EQ(partitioned({"1:1", "2:2"}, {"1:1"}).phase, SnapshotPhase::kDone);
  // Made for rows to come.
  EXPECT_EQ(partitioned({"1:1", "2:2", "3:3"}, {"1:1"}).phase, SnapshotPhase::kDone);
  const TableState attached = partitioned({"1:1", "2:2", "3:3"}, {"1:1", "3:3"});
  EXPECT_EQ(attached.phase, SnapshotPhase::kRunning);
  EXPECT_EQ(attached.epoch, 1u);
  // Detached or dropped; truncated.
  for (const auto& now : {std::set<std::string>{"1:1"}, {"1:1", "2:3"}}) {
    const TableState state = partitioned(now, {});
    EXPECT_EQ(state.epoch, 2u);
    EXPECT_TRUE(state.sweep);
    EXPECT_EQ(state.phase, SnapshotPhase::kRunning);
    EXPECT_EQ(state.make.partitions, now);
  }
}

TEST(SessionPlan, TakesAStateThatDidNotLookYet) {
  SessionFacts now = facts();
  now.tables[0].make = kMake;
  const SessionPlan plan = plan_session(saved(), now);
  EXPECT_EQ(table(plan).phase, SnapshotPhase::kDone);
  EXPECT_EQ(table(plan).make, kMake);
}

TEST(SessionPlan, TheFirstSessionMakesASlotAndASnapshot) {
  const SessionPlan plan = plan_session(std::nullopt, facts());
  EXPECT_FALSE(plan.new_slot_reason.empty());
  EXPECT_EQ(table(plan).epoch, 1u);
  EXPECT_FALSE(table(plan).sweep);
  EXPECT_EQ(plan.tables.at(0).source_name, "bug-db");
}

TEST(SessionPlan, ALostStateGoesOnBehindTheTopicsEpoch) {
  SessionFacts now = facts();
  now.tables[0].topic_epoch = 4;
  const SessionPlan plan = plan_session(std::nullopt, now);
  EXPECT_EQ(table(plan).epoch, 5u);
  EXPECT_TRUE(table(plan).sweep);
}

TEST(SessionPlan, NothingChangedNothingBeginsAnew) {
  const SessionPlan plan = plan_session(saved(), facts());
  EXPECT_TRUE(plan.new_slot_reason.empty());
  EXPECT_EQ(plan.state, saved());
}

TEST(SessionPlan, WhateverMayHaveLostChangesMakesTheSlotAnew) {
  const std::function<void(SessionFacts&)> losses[] = {
      [](SessionFacts& f) { f.system_id = "2"; },
      [](SessionFacts& f) { f.timeline = 2; },
      [](SessionFacts& f) { f.written = postgres::Lsn(99); },
      [](SessionFacts& f) { f.slot.exists = false; },
      [](SessionFacts& f) { f.slot.lost = true; },
      [](SessionFacts& f) { f.slot.confirmed = postgres::Lsn(101); },
      [](SessionFacts& f) { f.publication_exists = false; },
  };
  for (const auto& lose : losses) {
    SessionFacts now = facts();
    lose(now);
    const SessionPlan plan = plan_session(saved(), now);
    EXPECT_FALSE(plan.new_slot_reason.empty());
    EXPECT_EQ(table(plan).epoch, 2u);
    EXPECT_TRUE(table(plan).sweep);
    EXPECT_EQ(table(plan).floor, 0u);
    EXPECT_EQ(table(plan).phase, SnapshotPhase::kRunning);
  }
}

TEST(SessionPlan, ATableThatWasAwayBeginsAnEpoch) {
  SessionFacts without = facts();
  without.tables.clear();
  const CaptureState away = plan_session(saved(), without).state;
  EXPECT_TRUE(away.tables.at("public.t").left);
  const SessionPlan plan = plan_session(away, facts());
  EXPECT_TRUE(plan.new_slot_reason.empty());
  EXPECT_EQ(table(plan).epoch, 2u);
  EXPECT_FALSE(table(plan).left);

  CaptureState stopped = saved();
  stopped.tables.at("public.t").stopped = "its key was dropped";
  EXPECT_EQ(table(plan_session(stopped, facts())).epoch, 2u);
  SessionFacts other_key = facts();
  other_key.tables[0].key_columns = {"uid"};
  EXPECT_EQ(table(plan_session(saved(), other_key)).epoch, 2u);
}

TEST(SessionPlan, NewColumnsAreReadAgainInTheSameEpoch) {
  SessionFacts now = facts();
  now.tables[0].form = "g";
  const SessionPlan plan = plan_session(saved(), now);
  EXPECT_EQ(table(plan).epoch, 1u);
  EXPECT_EQ(table(plan).floor, 77u);
  EXPECT_EQ(table(plan).phase, SnapshotPhase::kRunning);
}

TEST(SessionPlan, AnotherTopicIsAnotherBeginning) {
  SessionFacts now = facts();
  now.tables[0].topic = "elsewhere";
  const SessionPlan plan = plan_session(saved(), now);
  EXPECT_EQ(table(plan).epoch, 1u);
  EXPECT_EQ(plan.tables.at(0).source_name, "bug-db");
}

}  // namespace
}  // namespace searchsync::capture
