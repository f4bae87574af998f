#include "worker/run/lag.h"

#include <gtest/gtest.h>

namespace searchsync::worker {
namespace {

TEST(Lag, IsNotKnownBeforeTheFirstRead) {
  Lag lag;
  EXPECT_EQ(lag.seconds(Offset(0), 1'000), std::nullopt);
  lag.at_end();
  EXPECT_EQ(lag.seconds(Offset(0), 1'000), 0);
}

TEST(Lag, GrowsWhileWhatWasTakenIsNotDone) {
  Lag lag;
  lag.took(Offset(10), 1'000);
  lag.at_end();
  EXPECT_EQ(lag.seconds(Offset(9), 3'000), 2);
  EXPECT_EQ(lag.seconds(Offset(9), 63'000), 62);
  lag.took(Offset(20), 64'000);
  lag.at_end();
  EXPECT_EQ(lag.seconds(Offset(10), 65'000), 1);
  EXPECT_EQ(lag.seconds(Offset(20), 65'000), 0);
  EXPECT_EQ(lag.seconds(Offset(20), 99'000), 0);
}

TEST(Lag, IsOfWhatWasReadLastWhileThereIsMore) {
  Lag lag;
  lag.took(Offset(10), 1'000);
  EXPECT_EQ(lag.seconds(Offset(10), 61'000), 60);
  lag.at_end();
  EXPECT_EQ(lag.seconds(Offset(10), 61'000), 0);
}

TEST(Lag, IsNeverLessThanNothing) {
  Lag lag;
  lag.took(Offset(10), 2'000);  // by a clock that is ahead
  EXPECT_EQ(lag.seconds(Offset(0), 1'000), 0);
}

}  // namespace
}  // namespace searchsync::worker
