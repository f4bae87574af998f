#include "operator/control/topic_listing.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <vector>

namespace searchsync::control {
namespace {

using kafka::TopicSizes;
using std::chrono::milliseconds;

constexpr milliseconds kKeep{1'000};

// A Kafka of which only the topics are seen, and how often they are asked for.
class TopicListingTest : public ::testing::Test {
 protected:
  TopicSizes seen(Result<TopicListing::Topics> listed) {
    EXPECT_TRUE(listed) << listed.error().message;
    return listed ? **listed : TopicSizes();
  }

  Result<TopicSizes> topics_ = TopicSizes{{"a", 1}};
  int asked_ = 0;
  TopicListing listing_{[this] {
                          ++asked_;
                          return topics_;
                        },
                        kKeep};
  TopicListing::Time now_{std::chrono::hours(1)};
};

TEST_F(TopicListingTest, IsKeptForAWhile) {
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"a", 1}}));
  topics_ = TopicSizes{{"b", 2}};
  EXPECT_EQ(seen(listing_.recent(now_ + kKeep - milliseconds(1))), (TopicSizes{{"a", 1}}));
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(seen(listing_.recent(now_ + kKeep)), (TopicSizes{{"b", 2}}));
  EXPECT_EQ(asked_, 2);
}

TEST_F(TopicListingTest, CurrentIsNotKept) {
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"a", 1}}));
  topics_ = TopicSizes{{"b", 2}};
  EXPECT_EQ(seen(listing_.current(now_)), (TopicSizes{{"b", 2}}));
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"b", 2}}));
  EXPECT_EQ(asked_, 2);
}

TEST_F(TopicListingTest, AFailureIsKeptAsLong) {
  topics_ = fail(ErrorCode::kUnavailable, "away");
  EXPECT_EQ(listing_.recent(now_).error().message, "away");
  topics_ = TopicSizes{};
  EXPECT_EQ(listing_.recent(now_).error().message, "away");
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(seen(listing_.recent(now_ + kKeep)), TopicSizes{});
}

TEST_F(TopicListingTest, WhatWeMadeIsInItBeforeTheBrokersSaySo) {
  listing_.created("early", 3, now_);  // before anything is listed
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"a", 1}, {"early", 3}}));
  listing_.created("b", 2, now_);
  const TopicSizes all{{"a", 1}, {"b", 2}, {"early", 3}};
  EXPECT_EQ(seen(listing_.recent(now_)), all);
  EXPECT_EQ(seen(listing_.current(now_ + TopicListing::kSpread)), all);
  EXPECT_EQ(seen(listing_.current(now_ + TopicListing::kSpread + milliseconds(1))),
            (TopicSizes{{"a", 1}}));
}

TEST_F(TopicListingTest, WhatWeDeletedIsInItOnlyIfTheBrokersSaySo) {
  listing_.created("b", 2, now_);
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"a", 1}, {"b", 2}}));
  listing_.deleted("b");
  EXPECT_EQ(seen(listing_.recent(now_)), (TopicSizes{{"a", 1}}));
  topics_ = TopicSizes{{"a", 1}, {"b", 2}};
  EXPECT_EQ(seen(listing_.current(now_)), *topics_);
}

// Of those who ask while one listing is under way: recent() is content with it, current() is not;
// and of several that want a later one, one asks for all.
TEST(TopicListing, IsSharedByThoseWhoAskAtOnce) {
  std::latch under_way(1);
  std::promise<void> go_on;
  std::atomic<int> asked = 0;
  TopicListing listing(
      [&, wait = go_on.get_future().share()]() -> Result<TopicSizes> {
        const int number = ++asked;
        if (number == 1) {
          under_way.count_down();
          wait.wait();
        }
        return TopicSizes{{"number", number}};
      },
      kKeep);
  const TopicListing::Time now{std::chrono::hours(1)};
  const auto number = [](const Result<TopicListing::Topics>& listed) {
    return (*listed)->at("number");
  };
  auto first = std::async(std::launch::async, [&] { return number(listing.recent(now)); });
  under_way.wait();
  listing.created("made", 1, now);
  std::vector<std::future<int32_t>> others;
  for (int i = 0; i < 4; ++i) {
    others.push_back(std::async(std::launch::async, [&] { return number(listing.current(now)); }));
  }
  auto content = std::async(std::launch::async, [&] { return number(listing.recent(now)); });
  go_on.set_value();
  EXPECT_EQ(first.get(), 1);
  EXPECT_GE(content.get(), 1);
  for (auto& other : others) EXPECT_GE(other.get(), 2);
  EXPECT_LE(asked, 5);
  EXPECT_TRUE((*listing.recent(now))->contains("made"));
}

}  // namespace
}  // namespace searchsync::control
