#include "query/run/rate_limits.h"

#include <gtest/gtest.h>

namespace searchsync::query {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TokenBucket::Time kStart(seconds(1'000));

TEST(RateLimits, EachCallerHasAnAllowanceOfItsOwn) {
  RateLimits limits;
  const model::RateLimitSpec limit{.per_second = 10, .burst = 2};
  EXPECT_FALSE(limits.take("a", limit, kStart));
  EXPECT_FALSE(limits.take("a", limit, kStart));
  EXPECT_EQ(limits.take("a", limit, kStart), milliseconds(100));
  EXPECT_EQ(limits.take("a", limit, kStart), milliseconds(100)) << "a refusal costs nothing";
  EXPECT_FALSE(limits.take("b", limit, kStart));
  EXPECT_FALSE(limits.take("a", limit, kStart + milliseconds(100)));
  EXPECT_TRUE(limits.take("a", limit, kStart + milliseconds(100)));
}

TEST(RateLimits, ManyCallersAreNoMoreThanSoMany) {
  RateLimits limits;
  const model::RateLimitSpec limit{.per_second = 1, .burst = 1};
  for (size_t i = 0; i < RateLimits::kCallersMax; ++i) {
    EXPECT_FALSE(limits.take(std::to_string(i), limit, kStart));
  }
  EXPECT_FALSE(limits.take("new", limit, kStart)) << "the first of the others";
  EXPECT_TRUE(limits.take("newer", limit, kStart)) << "they share";
  EXPECT_TRUE(limits.take("0", limit, kStart)) << "who was there keeps its own";
  EXPECT_FALSE(limits.take("newer", limit, kStart + seconds(2))) << "the idle ones are forgotten";
  EXPECT_FALSE(limits.take("newest", limit, kStart + seconds(2)));
}

TEST(RateLimits, AMachineHasAWholeNetworkOfAddresses) {
  EXPECT_EQ(client_of("10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(client_of("::ffff:10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(client_of("2001:db8:1:2:3:4:5:6"), client_of("2001:db8:1:2::9"));
  EXPECT_NE(client_of("2001:db8:1:2::9"), client_of("2001:db8:1:3::9"));
  EXPECT_EQ(client_of(""), "");
}

}  // namespace
}  // namespace searchsync::query
