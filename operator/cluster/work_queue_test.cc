#include "operator/cluster/work_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace searchsync::cluster {
namespace {

using std::chrono::milliseconds;
using Time = QueueCore::Time;

constexpr Time at(int ms) {
  return Time(milliseconds(ms));
}

std::string take(QueueCore& queue, int ms) {
  const auto item = queue.take(at(ms));
  return item ? item->key : "";
}

TEST(QueueCore, HandsOutTheMostUrgentThenTheOldestAndEachOnce) {
  QueueCore queue;
  queue.add("timer", Urgency::kTimer, at(0));
  queue.add("world", Urgency::kWorld, at(1));
  queue.add("edit", Urgency::kEdit, at(2));
  queue.add("edit 2", Urgency::kEdit, at(3));
  queue.add("timer", Urgency::kTimer, at(4));
  EXPECT_EQ(take(queue, 5), "edit");
  EXPECT_EQ(take(queue, 5), "edit 2");
  queue.add("timer", Urgency::kEdit, at(6));
  EXPECT_EQ(take(queue, 6), "timer") << "it became urgent";
  EXPECT_EQ(take(queue, 6), "world");
  EXPECT_EQ(take(queue, 6), "");
}

TEST(QueueCore, WhatIsWorkedOnComesAgainOnlyAfterItIsDone) {
  QueueCore queue;
  queue.add("a", Urgency::kTimer, at(0));
  EXPECT_EQ(take(queue, 0), "a");
  queue.add("a", Urgency::kEdit, at(1));
  queue.add("a", Urgency::kTimer, at(2));
  EXPECT_EQ(take(queue, 2), "");
  queue.done("a", at(3));
  const auto again = queue.take(at(3));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->urgency, Urgency::kEdit);
  EXPECT_EQ(again->since, at(1)) << "since the edit came";
  queue.done("a", at(4));
  EXPECT_EQ(take(queue, 4), "");
}

TEST(QueueCore, TheEarliestTimerCountsAndAnythingElseReplacesIt) {
  QueueCore queue;
  queue.add_at("a", at(100));
  queue.add_at("a", at(50));
  queue.add_at("a", at(70));
  EXPECT_EQ(queue.next_timer(), at(50));
  EXPECT_EQ(take(queue, 49), "");
  EXPECT_EQ(take(queue, 50), "a");
  queue.done("a", at(50));
  EXPECT_EQ(queue.next_timer(), std::nullopt);
  queue.add_at("a", at(200));
  queue.add("a", Urgency::kEdit, at(60));
  EXPECT_EQ(queue.next_timer(), std::nullopt);
  EXPECT_EQ(take(queue, 60), "a");
}

TEST(QueueCore, ATimerIsAsUrgentAsItWasSet) {
  QueueCore queue;
  queue.add_at("later", at(10), Urgency::kEdit);
  queue.add("world", Urgency::kWorld, at(0));
  const auto item = queue.take(at(10));
  ASSERT_TRUE(item);
  EXPECT_EQ(item->key, "later");
  EXPECT_EQ(item->urgency, Urgency::kEdit);
  EXPECT_EQ(item->since, at(10));
}

TEST(QueueCore, OnlySoManyAreWorkedOnThatAreNoEdits) {
  QueueCore queue(2);
  for (const auto* key : {"a", "b", "c"}) queue.add(key, Urgency::kWorld, at(0));
  queue.add_at("timer", at(1));
  EXPECT_EQ(take(queue, 1), "a");
  EXPECT_EQ(take(queue, 1), "b");
  EXPECT_EQ(take(queue, 1), "");
  queue.add("edit", Urgency::kEdit, at(2));
  queue.add("c", Urgency::kEdit, at(2));
  EXPECT_EQ(take(queue, 2), "c") << "it became urgent";
  EXPECT_EQ(take(queue, 2), "edit");
  EXPECT_EQ(take(queue, 2), "");
  queue.done("c", at(3));
  EXPECT_EQ(take(queue, 3), "") << "an edit makes no room for others";
  queue.done("a", at(3));
  EXPECT_EQ(take(queue, 3), "timer");
}

// Against what a queue is for: whatever was added is handed out after that, and never twice at a
// time.
TEST(QueueCore, LosesNothing) {
  std::mt19937_64 random(1);
  const auto below = [&](int limit) {
    return std::uniform_int_distribution<int>(0, limit - 1)(random);
  };
  QueueCore queue(5);
  std::map<std::string, bool> pending;  // added since it was handed out last
  std::set<std::string> working;
  for (int now = 0; now < 20'000; ++now) {
    const auto key = std::to_string(below(20));
    switch (below(4)) {
      case 0:
        queue.add(key, static_cast<Urgency>(below(3)), at(now));
        pending[key] = true;
        break;
      case 1:
        queue.add_at(key, at(now + below(30)));
        break;
      case 2:
        if (const auto item = queue.take(at(now))) {
          ASSERT_TRUE(working.insert(item->key).second) << item->key << " twice";
          pending[item->key] = false;
        }
        break;
      default:
        if (!working.empty()) {
          queue.done(*working.begin(), at(now));
          working.erase(working.begin());
        }
    }
  }
  while (!working.empty()) {
    queue.done(*working.begin(), at(30'000));
    working.erase(working.begin());
  }
  while (const auto item = queue.take(at(30'000))) {
    pending[item->key] = false;
    queue.done(item->key, at(30'000));
  }
  for (const auto& [key, waits] : pending) EXPECT_FALSE(waits) << key;
}

TEST(WorkQueue, StopsWaitingOnRequest) {
  WorkQueue queue(1);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(queue.take(stop.get_token()));
}

}  // namespace
}  // namespace searchsync::cluster
