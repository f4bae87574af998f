#include "query/run/shared_refreshes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <latch>
#include <map>
#include <vector>

namespace searchsync::query {
namespace {

// The first refresh goes on until it may end. What each comes to is told by its number.
class SharedRefreshesTest : public testing::Test {
 protected:
  using Clock = SharedRefreshes::Clock;

  // Of one who has come when this returns, or is about to.
  std::future<std::string> join() {
    std::promise<void> coming;
    auto come = coming.get_future();
    auto joined = std::async(std::launch::async, [this, &coming] {
      coming.set_value();
      return refreshes_.join(late_);
    });
    come.wait();
    return joined;
  }

  std::string refresh() {
    const int number = ++begun_;  // by one at a time
    if (number == 1) {
      first_has_begun_.count_down();
      first_may_end_.wait();
    }
    return problems_[number];
  }

  const Clock::time_point late_ = Clock::now() + std::chrono::hours(1);
  std::map<int, std::string> problems_;
  int begun_ = 0;
  std::latch first_has_begun_{1};
  std::latch first_may_end_{1};
  SharedRefreshes refreshes_{[this](Clock::time_point) { return refresh(); }};
};

TEST_F(SharedRefreshesTest, OneThatBeganBeforeIsNotEnough) {
  auto first = join();
  first_has_begun_.wait();
  std::vector<std::future<std::string>> others;
  for (int i = 0; i < 8; ++i) others.push_back(join());
  first_may_end_.count_down();
  EXPECT_EQ(first.get(), "");
  for (auto& other : others) EXPECT_EQ(other.get(), "");
  EXPECT_GE(begun_, 2);
}

TEST_F(SharedRefreshesTest, OnlyWhoBeganItIsToldWhatWentWrong) {
  problems_[2] = "away";
  auto first = join();
  first_has_begun_.wait();
  std::vector<std::future<std::string>> others;
  for (int i = 0; i < 8; ++i) others.push_back(join());
  first_may_end_.count_down();
  EXPECT_EQ(first.get(), "");
  EXPECT_EQ(std::ranges::count_if(others, [](auto& other) { return other.get() == "away"; }), 1);
}

TEST_F(SharedRefreshesTest, WhoHasNoTimeLeftDoesNotWait) {
  auto first = join();
  first_has_begun_.wait();
  EXPECT_NE(refreshes_.join(Clock::now()), "");
  EXPECT_EQ(begun_, 1);
  first_may_end_.count_down();
  EXPECT_EQ(first.get(), "");
}

}  // namespace
}  // namespace searchsync::query
