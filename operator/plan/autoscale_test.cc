#include "operator/plan/autoscale.h"

#include <gtest/gtest.h>

#include <random>

namespace searchsync::plan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{milliseconds(1'700'000'000'000)};

class Autoscale : public ::testing::Test {
 protected:
  ScaleInput input(int32_t current, std::optional<int64_t> lag, double arriving = 0,
                   double processed = 0) const {
    return {.spec = spec_,
            .partitions = 8,
            .current = current,
            .lag_records = lag,
            .arriving_per_second = arriving,
            .processed_per_second = processed,
            .now = now_};
  }
  int32_t next(const ScaleInput& in) {
    const auto outcome = scale(in, note_);
    note_ = outcome.note;
    return outcome.replicas;
  }

  model::AutoscalingSpec spec_{
      .min = 0, .max = 6, .target_lag = seconds(10), .scale_down_after = seconds(60)};
  ScaleNote note_;
  TimePoint now_ = kStart;
};

TEST_F(Autoscale, StartsOneOnArrival) {
  EXPECT_EQ(next(input(0, 0)), 0);
  EXPECT_EQ(next(input(0, 1)), 1);
  EXPECT_EQ(next(input(0, 1'000'000)), 1);
}

TEST_F(Autoscale, TakesAsManyAsCatchUpInTimeButAtMostTwiceAsMany) {
  // 100 a second each; 100 arrive, and 1000 are to be caught up within 10 s: two.
  EXPECT_EQ(next(input(2, 1'000, 100, 200)), 2);
  EXPECT_EQ(next(input(2, 2'500, 100, 200)), 4);
  EXPECT_EQ(next(input(2, 1'000'000, 100, 200)), 4);
  EXPECT_EQ(next(input(4, 1'000'000, 100, 400)), 6) << "max";
  spec_.max = 100;
  EXPECT_EQ(next(input(6, 1'000'000, 100, 600)), 8) << "partitions";
}

TEST_F(Autoscale, HoldsWhatItDoesNotKnow) {
  EXPECT_EQ(next(input(3, std::nullopt)), 3);
  EXPECT_EQ(next(input(0, std::nullopt)), 1) << "never zero";
}

TEST_F(Autoscale, GoesDownOnlyAfterAWhileAndToTheMostThatWasNeeded) {
  EXPECT_EQ(next(input(6, 0)), 6);
  now_ += seconds(30);
  EXPECT_EQ(next(input(6, 1'000, 100, 600)), 6) << "two would do";
  now_ += seconds(29);
  EXPECT_EQ(next(input(6, 0)), 6);
  now_ += seconds(2);
  EXPECT_EQ(next(input(6, 0)), 2);
  EXPECT_EQ(next(input(2, 0)), 2);
  now_ += seconds(61);
  EXPECT_EQ(next(input(2, 0)), 0);
}

TEST_F(Autoscale, NeedingMoreAgainBeginsTheWaitAnew) {
  EXPECT_EQ(next(input(4, 0)), 4);
  now_ += seconds(59);
  EXPECT_EQ(next(input(4, 100'000, 100, 400)), 6);
  now_ += seconds(2);
  EXPECT_EQ(next(input(6, 0)), 6);
}

TEST_F(Autoscale, StaysWithinBoundsWhateverHappens) {
  std::mt19937_64 random(1);
  const auto below = [&](int64_t limit) {
    return std::uniform_int_distribution<int64_t>(0, limit - 1)(random);
  };
  for (int i = 0; i < 100'000; ++i) {
    spec_ = {.min = static_cast<int32_t>(below(4)),
             .max = static_cast<int32_t>(4 + below(10)),
             .target_lag = seconds(1 + below(10)),
             .scale_down_after = seconds(1 + below(10))};
    const auto current = static_cast<int32_t>(below(12));
    const auto lag = below(3) == 0 ? std::nullopt : std::optional(below(1'000'000));
    now_ += seconds(below(5));
    const auto replicas = next(
        input(current, lag, static_cast<double>(below(1000)), static_cast<double>(below(1000))));
    ASSERT_LE(replicas, std::max(current, std::min(spec_.max, 8)));
    ASSERT_GE(replicas, lag ? std::min(spec_.min, current) : 1);
    if (lag && *lag > 0) {
      ASSERT_GE(replicas, 1);
    }
  }
}

}  // namespace
}  // namespace searchsync::plan
