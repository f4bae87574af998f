#include "query/date_math.h"

#include <gtest/gtest.h>

namespace searchsync::query {
namespace {

TEST(IsTime, TakesWhatTheEnginesTake) {
  for (const char* text : {"now",
                           "now-30d",
                           "now+1h",
                           "now/d",
                           "now-1M/M",
                           "now-1d/d+12h",
                           "2024",
                           "2024-02",
                           "2024-02-29",
                           "2024-01-15T10",
                           "2024-01-15T10:30",
                           "2024-01-15T10:30:00",
                           "2024-01-15T10:30:00Z",
                           "2024-01-15T10:30:00.5Z",
                           "2024-01-15T10:30:00.123456789Z",
                           "2024-01-15T10:30:00+02:00",
                           "2024-01-15T10:30:00-0830",
                           "2024-01-15T10:30Z",
                           "2024-01-15||+1M/d",
                           "2024-01-15T10:30:00Z||-3h"}) {
    EXPECT_TRUE(is_time(text)) << text;
  }
}

TEST(IsTime, RefusesTheRest) {
  for (const char* text : {"",
                           "today",
                           "Now",
                           "now30d",
                           "now-30",
                           "now-d",
                           "now-30x",
                           "now-30D",
                           "now-",
                           "now/",
                           "now/2d",
                           "now-1d ",
                           " now",
                           "now-9999999d",
                           "24-01-15",
                           "2024-13-01",
                           "2024-02-30",
                           "2023-02-29",
                           "2024-1-5",
                           "2024-01-15 10:30",
                           "2024-01-15T",
                           "2024-01-15T25:00",
                           "2024-01-15T10:60",
                           "2024-01-15T10:30:61",
                           "2024-01-15T10:30:00.",
                           "2024-01-15T10:30:00+2",
                           "2024-01-15T10:30:00+02:",
                           "2024-01-15T10:30:00Zx",
                           "2024-01-15+1d",
                           "||+1d",
                           "2024-01-15||now",
                           "1705314600000"}) {
    EXPECT_FALSE(is_time(text)) << text;
  }
}

}  // namespace
}  // namespace searchsync::query
