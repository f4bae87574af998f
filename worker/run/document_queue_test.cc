#include "worker/run/document_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::worker {
namespace {

using std::chrono::seconds;
using testing::UnorderedElementsAre;

constexpr Clock::time_point kNow{seconds(1000)};

TEST(DocumentQueue, OneDocumentIsTakenOnceForAllItsBatches) {
  DocumentQueue queue;
  queue.add({.assignment = 1, .batches = {7}, .root = "a", .changed_at_us = 30}, kNow);
  queue.add({.assignment = 1, .batches = {8}, .root = "a", .changed_at_us = 20}, kNow + seconds(5));
  queue.add({.assignment = 2, .batches = {1}, .root = "a"}, kNow + seconds(1));
  EXPECT_EQ(queue.size(), 2u);
  const auto first = queue.take(Urgency::kDirect, kNow, false);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->assignment, 1u);
  EXPECT_THAT(first->batches, UnorderedElementsAre(7, 8));
  EXPECT_EQ(first->changed_at_us, 20u);
  EXPECT_FALSE(queue.take(Urgency::kDirect, kNow, false).has_value());
  EXPECT_EQ(queue.next_due(Urgency::kDirect), kNow + seconds(1));
  EXPECT_EQ(queue.take(Urgency::kDirect, kNow, true)->assignment, 2u);
  EXPECT_TRUE(queue.empty());
}

TEST(DocumentQueue, WhatWasPushedBackWaitsEvenIfItIsTouchedMeanwhile) {
  DocumentQueue queue;
  queue.add({.assignment = 1, .batches = {7}, .root = "a", .attempts = 1}, kNow + seconds(3));
  queue.add({.assignment = 1, .batches = {8}, .root = "a"}, kNow);
  EXPECT_FALSE(queue.take(Urgency::kDirect, kNow, true).has_value());
  const auto again = queue.take(Urgency::kDirect, kNow + seconds(3), false);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attempts, 1);
  EXPECT_THAT(again->batches, UnorderedElementsAre(7, 8));
}

TEST(DocumentQueue, AnUrgentTouchMakesADocumentUrgent) {
  DocumentQueue queue;
  queue.add({.batches = {1}, .root = "a", .urgency = Urgency::kFanOut}, kNow);
  queue.add({.batches = {2}, .root = "b", .urgency = Urgency::kFanOut}, kNow);
  EXPECT_FALSE(queue.take(Urgency::kDirect, kNow, true).has_value());
  queue.add({.batches = {3}, .root = "b", .urgency = Urgency::kDirect}, kNow);
  queue.add({.batches = {4}, .root = "b", .urgency = Urgency::kFanOut}, kNow);
  EXPECT_EQ(queue.size(), 2u);
  const auto first = queue.take(Urgency::kDirect, kNow, false);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->root, "b");
  EXPECT_THAT(first->batches, UnorderedElementsAre(2, 3, 4));
  EXPECT_FALSE(queue.take(Urgency::kDirect, kNow, false).has_value());
  EXPECT_EQ(queue.take(Urgency::kFanOut, kNow, false)->root, "a");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.next_due(Urgency::kFanOut), Clock::time_point::max());
}

}  // namespace
}  // namespace searchsync::worker
