#include "lib/base/time_text.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

TEST(TimeText, ReadsRfc3339) {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-02-28T12:00:00Z", "2026-02-28T12:00:00.000000Z"},
      {"2026-02-28T12:00:00.5Z", "2026-02-28T12:00:00.500000Z"},
      {"2026-02-28T12:00:00.123456789Z", "2026-02-28T12:00:00.123456Z"},
      {"2026-02-28T12:00:00+02:30", "2026-02-28T09:30:00.000000Z"},
      {"2024-02-29T23:59:59-01:00", "2024-03-01T00:59:59.000000Z"},
      {"1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900000Z"},
  };
  for (const auto& [text, written] : cases) {
    const auto time = parse_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(format_micro_time(*time), written);
  }
  for (const char* text :
       {"", "2026-02-30T00:00:00Z", "2026-02-28T24:00:00Z", "2026-02-28T12:00:00",
        "2026-02-28 12:00", "2026-02-28T12:00:00.Z", "2026-02-28T12:00:00Zx", "now", "2026",
        "2026-01-31T00:00:00+1", "2026-01-31 00:00:00Z", "2026-01-31t00:00:00z",
        "2026-01-31T00:00:00.", "2026-01-31T0", "+026-01-31T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(TimeText, WritesRfc3339) {
  const auto at = [](int64_t seconds) {
    return std::chrono::sys_seconds(std::chrono::seconds(seconds));
  };
  EXPECT_EQ(format_time(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(at(1'769'860'799)), "2026-01-31T11:59:59Z");
}

}  // namespace
}  // namespace searchsync
