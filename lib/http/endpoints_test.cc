#include "lib/http/endpoints.h"

#include <gtest/gtest.h>

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;

constexpr Endpoints::Time kStart{std::chrono::hours(1)};

TEST(Endpoints, TakesTurns) {
  Endpoints endpoints(3, milliseconds(100));
  std::vector<size_t> picked;
  for (int i = 0; i < 4; ++i) picked.push_back(endpoints.pick({}, kStart).value());
  EXPECT_EQ(picked, (std::vector<size_t>{0, 1, 2, 0}));
}

TEST(Endpoints, LeavesOutWhatFailedUntilItsPauseIsOver) {
  Endpoints endpoints(2, milliseconds(100));
  endpoints.failed(0, kStart);
  EXPECT_EQ(endpoints.pick({}, kStart), 1u);
  EXPECT_EQ(endpoints.pick({}, kStart + milliseconds(99)), 1u);
  EXPECT_EQ(endpoints.pick({}, kStart + milliseconds(100)), 0u);
}

TEST(Endpoints, ComesBackAtOnceWhenReached) {
  Endpoints endpoints(2, milliseconds(100));
  endpoints.failed(0, kStart);
  endpoints.reached(0);
  EXPECT_EQ(endpoints.pick({}, kStart), 0u);
}

TEST(Endpoints, AsksTheOneThatFailedLongestAgoWhenAllAreLeftOut) {
  Endpoints endpoints(2, milliseconds(100));
  endpoints.failed(1, kStart);
  endpoints.failed(0, kStart + milliseconds(1));
  const auto now = kStart + milliseconds(2);
  EXPECT_EQ(endpoints.pick({}, now), 1u);
  EXPECT_EQ(endpoints.pick({1}, now), 0u);
  EXPECT_EQ(endpoints.pick({1, 0}, now), std::nullopt);
}

}  // namespace
}  // namespace searchsync::http
