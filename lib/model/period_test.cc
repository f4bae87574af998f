#include "lib/model/period.h"

#include <gtest/gtest.h>

#include <tuple>

namespace searchsync::model {
namespace {

using std::chrono::hours;

int64_t at(std::string_view text) {
  const auto time = read_time(text);
  EXPECT_TRUE(time.has_value()) << text;
  return time.value_or(0);
}

TEST(ReadTime, AsTheEnginesDo) {
  const std::tuple<const char*, int64_t> cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01", 0},
      {"1970-01", 0},
      {"1970", 0},
      {"1970-01-02T03", 97'200'000},
      {"1970-01-01T00:00:01.5Z", 1500},
      {"1970-01-01T00:00:00.123456789", 123},
      {"1970-01-01T01:00:00+01:00", 0},
      {"1970-01-01T01:00:00+0100", 0},
      {"1970-01-01T00:00-02", 7'200'000},
      {"1969-12-31T23:59:59.999Z", -1},
      {"2024-02-29", 1'709'164'800'000},
      {"0001-01-01", -62'135'596'800'000},
      {"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(read_time(text), want) << text;
}

TEST(ReadTime, NothingElse) {
  for (const char* text : {"",
                           "now",
                           "24",
                           "0000-01-01",
                           "2023-02-29",
                           "2024-13-01",
                           "2024-1-1",
                           "2024-01-01T",
                           "2024-01-01T24:00",
                           "2024-01-01T10:60",
                           "2024-01-01T10:00:60",
                           "2024-01-01T10:00:00.",
                           "2024-01-01T10:00:00.1234567890",
                           "2024-01-01 10:00",
                           "2024-01-01T10:00:00z",
                           "2024-01-01T10:00:00+19",
                           "2024-01-01T10:00:00+1:00",
                           "2024-01-01T10:00+01:",
                           "2024-01-01Z",
                           "0001-01-01T00:00+01:00",
                           "9999-12-31T23:59-01:00",
                           "10000-01-01",
                           "-001-01-01"}) {
    EXPECT_EQ(read_time(text), std::nullopt) << text;
  }
}

TEST(Period, HasANameByWhichItIsFoundAgain) {
  const std::tuple<Every, const char*, const char*> cases[] = {
      {Every::kHour, "2026-11-29T13:59:59.999Z", "2026-11-29t13"},
      {Every::kDay, "2026-11-29T23:59:59.999Z", "2026-11-29"},
      {Every::kDay, "2026-11-30T00:30:00+01:00", "2026-11-29"},
      {Every::kMonth, "2026-12-31T23:59:59Z", "2026-12"},
      {Every::kMonth, "1969-12-31", "1969-12"},
      {Every::kDay, "1969-12-31T23:00Z", "1969-12-31"},
      {Every::kHour, "0001-01-01", "0001-01-01t00"},
      {Every::kMonth, "9999-12-31", "9999-12"},
  };
  for (const auto& [every, time, name] : cases) {
    const auto period = period_of(every, at(time));
    EXPECT_EQ(period_name(every, period), name);
    EXPECT_EQ(parse_period(every, name), period);
    EXPECT_LE(begin_of(every, period), at(time));
    EXPECT_GT(begin_of(every, Period(period.get() + 1)), at(time));
  }
  EXPECT_EQ(partition_name(IndexName("events-1a2b"), Every::kDay, Period(1)).get(),
            "events-1a2b-1970-01-02");
}

TEST(Period, OtherNamesAreNone) {
  for (const char* name : {"", "2026-11", "2026-11-29t13", "2026-11-31", "2026-11-29Z", "x"}) {
    EXPECT_EQ(parse_period(Every::kDay, name), std::nullopt) << name;
  }
  EXPECT_EQ(parse_period(Every::kHour, "2026-11-29T13"), std::nullopt) << "no index has capitals";
  EXPECT_EQ(parse_period(Every::kHour, "2026-11-29t13:00"), std::nullopt);
}

// A partition is written to until `retain` after its end, and as early as `ahead` before its begin.
TEST(Window, KeepsAPartitionForSoLongAfterItsEnd) {
  const auto window = [](std::string_view now) {
    return window_at(Every::kDay, hours(48), hours(24), at(now));
  };
  const auto day = [](std::string_view name) { return *parse_period(Every::kDay, name); };
  EXPECT_EQ(window("2026-11-29T23:59:59.999").oldest, day("2026-11-27"));
  EXPECT_EQ(window("2026-11-30T00:00").oldest, day("2026-11-28"));
  EXPECT_EQ(window("2026-11-29T23:59:59.999").newest, day("2026-11-30"));
  EXPECT_EQ(window("2026-11-30T00:00").newest, day("2026-12-01"));
}

}  // namespace
}  // namespace searchsync::model
