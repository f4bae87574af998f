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
