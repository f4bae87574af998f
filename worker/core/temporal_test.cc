#include "worker/core/temporal.h"

#include <gtest/gtest.h>

#include <limits>

namespace searchsync::worker {
namespace {

std::string made(auto append, auto... args) {
  std::string out;
  append(args..., out);
  return out;
}

std::string read_with(bool (*append)(std::string_view, std::string&), std::string_view text) {
  std::string out;
  return append(text, out) ? out : "refused" + out;
}

TEST(Temporal, Dates) {
  EXPECT_EQ(made(append_date, 0), "1970-01-01");
  EXPECT_EQ(made(append_date, 19'782), "2024-02-29");
  EXPECT_EQ(made(append_date, -719'162), "0001-01-01");
  EXPECT_EQ(made(append_date, -719'163), "0001-12-31 BC");
  EXPECT_EQ(made(append_date, -735'160), "0044-03-15 BC");
  EXPECT_EQ(made(append_date, 2'145'042'905), "5874897-12-31");
}

TEST(Temporal, Instants) {
  EXPECT_EQ(made(append_timestamp, 1'705'314'600'123'450, Zone::kUtc),
            "2024-01-15T10:30:00.12345Z");
  EXPECT_EQ(made(append_timestamp, -1, Zone::kNone), "1969-12-31T23:59:59.999999");
  EXPECT_EQ(made(append_timestamp, std::numeric_limits<int64_t>::min(), Zone::kUtc),
            "290309-12-21T19:59:05.224192Z BC");
  EXPECT_EQ(made(append_timestamp_nanos, 1'705'314'600'000'000'001, Zone::kNone),
            "2024-01-15T10:30:00.000000001");
  EXPECT_EQ(made(append_timestamp_nanos, -1, Zone::kUtc), "1969-12-31T23:59:59.999999999Z");
}

TEST(Temporal, ClocksAndDurations) {
  EXPECT_EQ(made(append_time_of_day, 0), "00:00:00");
  EXPECT_EQ(made(append_time_of_day, 37'800'500'000'000), "10:30:00.5");
  EXPECT_EQ(made(append_time_of_day, 86'400'000'000'000), "24:00:00");
  EXPECT_EQ(made(append_duration, 0), "PT0S");
  EXPECT_EQ(made(append_duration, 93'600'500'000), "PT26H0.5S");
  EXPECT_EQ(made(append_duration, 60'000'000), "PT1M");
  EXPECT_EQ(made(append_duration, -500'000), "PT-0.5S");
  EXPECT_EQ(made(append_duration, -3'661'000'000), "PT-1H-1M-1S");
}

TEST(Temporal, ZonedTextsAreNormalised) {
  const std::pair<std::string_view, std::string_view> timestamps[] = {
      {"2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"},
      {"2024-01-15T10:30:00.120000Z", "2024-01-15T10:30:00.12Z"},
      {"2024-01-15T10:30Z", "2024-01-15T10:30:00Z"},
      {"2024-01-15T10:30:00.5+02:00", "2024-01-15T08:30:00.5Z"},
      {"2024-01-01T00:30:00-05:30", "2024-01-01T06:00:00Z"},
      {"2024-01-01T00:30:00+0100", "2023-12-31T23:30:00Z"},
      {"+12345-01-01T00:00:00Z", "12345-01-01T00:00:00Z"},
      {"-0043-03-15T10:00:00Z", "0044-03-15T10:00:00Z BC"},
      {"+292278994-08-16T23:00:00Z", "infinity"},
      {"-292275055-05-16T23:00:00Z", "-infinity"},
      {"2024-01-15", "refused"},
      {"2024-13-15T10:30:00Z", "refused"},
      {"2024-01-15T10:30:00", "refused"},
      {"2024-01-15T10:30:00.Z", "refused"},
      {"2024-01-15T10:30:00+99:00", "refused"},
      {"2024-01-15T1:30:00Z", "refused"},
      {"", "refused"},
  };
  for (const auto& [from, to] : timestamps)
    EXPECT_EQ(read_with(append_utc_timestamp, from), to) << from;
  const std::pair<std::string_view, std::string_view> times[] = {
      {"10:30:00Z", "10:30:00+00:00"},   {"10:30:00.500+02:00", "10:30:00.5+02:00"},
      {"10:30-05:30", "10:30:00-05:30"}, {"10:30:00", "refused"},
      {"25:30:00Z", "refused"},
  };
  for (const auto& [from, to] : times) EXPECT_EQ(read_with(append_zoned_time, from), to) << from;
}

TEST(Temporal, IntervalsLoseTheirZeros) {
  const std::pair<std::string_view, std::string_view> intervals[] = {
      {"P1Y2M3DT4H5M6.780S", "P1Y2M3DT4H5M6.78S"},
      {"P0Y0M0DT0H0M0S", "PT0S"},
      {"P0Y0M3DT0H0M0.0S", "P3D"},
      {"P0Y-1M0DT0H-30M0S", "P-1MT-30M"},
      {"P", "PT0S"},
      {"1Y", "refused"},
      {"P1X", "refused"},
      {"PT5", "refused"},
  };
  for (const auto& [from, to] : intervals) EXPECT_EQ(read_with(append_interval, from), to) << from;
}

}  // namespace
}  // namespace searchsync::worker
