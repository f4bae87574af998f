#include "ingest/core/event_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

namespace searchsync::ingest {
namespace {

// Source: RFC 9562, appendix A.6, has the same time: 017F22E2-79B0-7...
const WallTime kTime{std::chrono::milliseconds(0x017F22E279B0)};

std::string next(EventIds& ids) {
  std::string id;
  ids.append_next(id);
  return id;
}

TEST(EventIds, HaveTheFormOfVersion7AndTheTime) {
  EventIds ids(kTime, 1, 2);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(next(ids), testing::MatchesRegex("017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                                 "[0-9a-f]{12}"));
  }
}

TEST(EventIds, AreToldApart) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    EventIds ids(kTime, seed << 32, seed * 0x9e3779b97f4a7c15);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(next(ids)).second);
  }
}

TEST(EventIds, SortByTime) {
  EventIds before(kTime, 7, 8);
  EventIds after(kTime + std::chrono::milliseconds(1), 7, 8);
  EXPECT_LT(next(before), next(after));
}

}  // namespace
}  // namespace searchsync::ingest
