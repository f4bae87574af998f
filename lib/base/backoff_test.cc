#include "lib/base/backoff.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, GrowsToItsLongestAndNoFurther) {
  Backoff backoff({.first = milliseconds(100), .longest = milliseconds(1000)}, 7);
  EXPECT_LE(backoff.next(), milliseconds(100));
  EXPECT_LE(backoff.next(), milliseconds(200));
  milliseconds most{0};
  for (int i = 0; i < 200; ++i) {
    const auto wait = backoff.next();
    EXPECT_GE(wait, milliseconds(1));
    EXPECT_LE(wait, milliseconds(1000));
    most = std::max(most, wait);
  }
  EXPECT_GT(most, milliseconds(800));
}

TEST(Backoff, ResetStartsOver) {
  Backoff backoff({.first = milliseconds(2), .longest = milliseconds(1000)}, 7);
  for (int i = 0; i < 20; ++i) backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(2));
}

TEST(Backoff, SameSeedSameWaits) {
  Backoff a({}, 3), b({}, 3);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.next(), b.next());
}

}  // namespace
}  // namespace searchsync
