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
  const auto first = queue.take(kNow, false);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->assignment, 1u);
  EXPECT_THAT(first->batches, UnorderedElementsAre(7, 8));
  EXPECT_EQ(first->changed_at_us, 20u);
  EXPECT_FALSE(queue.take(kNow, false).has_value());
  EXPECT_EQ(queue.next_due(), kNow + seconds(1));
  EXPECT_EQ(queue.take(kNow, true)->assignment, 2u);
  EXPECT_TRUE(queue.empty());
}

TEST(DocumentQueue, WhatWasPushedBackWaitsEvenIfItIsTouchedMeanwhile) {
  DocumentQueue queue;
  queue.add({.assignment = 1, .batches = {7}, .root = "a", .attempts = 1}, kNow + seconds(3));
  queue.add({.assignment = 1, .batches = {8}, .root = "a"}, kNow);
  EXPECT_FALSE(queue.take(kNow, true).has_value());
  const auto again = queue.take(kNow + seconds(3), false);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attempts, 1);
  EXPECT_THAT(again->batches, UnorderedElementsAre(7, 8));
}

}  // namespace
}  // namespace searchsync::worker
