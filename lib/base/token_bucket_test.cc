#include "lib/base/token_bucket.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucket, LetsABurstThroughAndThenARate) {
  TokenBucket bucket(10, 3);
  const TokenBucket::Time start(seconds(1'000));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(start).count(), 0);
  EXPECT_EQ(bucket.take(start), milliseconds(100));
  EXPECT_EQ(bucket.take(start), milliseconds(200));  // behind the one before
  EXPECT_EQ(bucket.take(start + milliseconds(300)).count(), 0);
  EXPECT_GT(bucket.take(start + milliseconds(301)), milliseconds(90));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(start + seconds(60)).count(), 0);
  EXPECT_GT(bucket.take(start + seconds(60)).count(), 0);
  EXPECT_GT(bucket.take(start).count(), 0);  // a clock that goes back fills nothing
}

TEST(TokenBucket, WhatIsRefusedCostsNothing) {
  TokenBucket bucket(10, 2);
  const TokenBucket::Time start(seconds(1'000));
  EXPECT_EQ(bucket.try_take(start).count(), 0);
  EXPECT_EQ(bucket.try_take(start).count(), 0);
  EXPECT_EQ(bucket.try_take(start), milliseconds(100));
  EXPECT_EQ(bucket.try_take(start + milliseconds(60)), milliseconds(40));
  EXPECT_EQ(bucket.try_take(start + milliseconds(100)).count(), 0);
  EXPECT_GT(bucket.try_take(start + milliseconds(100)).count(), 0);
}

}  // namespace
}  // namespace searchsync
