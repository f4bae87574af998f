#include "query/time_range.h"

#include <gtest/gtest.h>

#include <tuple>

#include "lib/model/json.h"

namespace searchsync::query {
namespace {

constexpr auto kOpenFrom = std::numeric_limits<int64_t>::min();
constexpr auto kOpenUntil = std::numeric_limits<int64_t>::max();

int64_t at(std::string_view text) {
  const auto time = model::read_time(text);
  EXPECT_TRUE(time.has_value()) << text;
  return time.value_or(0);
}

const int64_t kNow = at("2026-11-29T12:30:00Z");

TimeRange range_of(std::string_view filter) {
  const auto node = model::parse_json(filter);
  EXPECT_TRUE(node.has_value()) << filter;
  return time_range(*node, "at", kNow);
}

TimeRange between(std::string_view from, std::string_view until) {
  return {from.empty() ? kOpenFrom : at(from), until.empty() ? kOpenUntil : at(until)};
}

TEST(TimeRange, IsWhatTheBoundsLeave) {
  const std::tuple<const char*, TimeRange> cases[] = {
      {R"({"range":{"field":"at","gte":"2026-11-29T01:00:00Z"}})",
       between("2026-11-29T01:00:00Z", "")},
      {R"({"range":{"field":"at","gt":"2026-11-28","lt":"2026-11-29"}})",
       between("2026-11-28", "2026-11-29T23:59:59.999Z")},
      {R"({"range":{"field":"at","lte":"2026-11"}})", between("", "2026-11-30T23:59:59.999Z")},
      {R"({"range":{"field":"at","gte":"2026","lte":"2026"}})",
       between("2026-01-01", "2026-12-31T23:59:59.999Z")},
      {R"({"range":{"field":"at","lte":"2026-11-29T10"}})",
       between("", "2026-11-29T10:59:59.999Z")},
      {R"({"range":{"field":"at","lte":"2026-11-29T10:30+01:00"}})",
       between("", "2026-11-29T09:30:59.999Z")},
      {R"({"range":{"field":"at","lte":"2026-11-29T10:30:15.2Z"}})",
       between("", "2026-11-29T10:30:16.199Z")},
      {R"({"range":{"field":"at","gte":1000,"lte":2000}})", {1000, 2000}},
      {R"({"range":{"field":"at","gte":"now-3h","lte":"now"}})",
       between("2026-11-29T09:29:00Z", "2026-11-29T12:31:00Z")},
      {R"({"range":{"field":"at","gte":"now-1d/d","lt":"now/d"}})",
       between("2026-11-28", "2026-11-29T23:59:59.999Z")},
      {R"({"range":{"field":"at","gte":"now/w"}})", between("2026-11-23", "")},
      {R"({"range":{"field":"at","lte":"2026-11-29||/M+1d"}})",
       between("", "2026-12-01T23:59:59.999Z")},
      {R"({"range":{"field":"at","gte":"2026-03-31||-1M"}})", between("2026-02-28", "")},
      {R"({"range":{"field":"at","gte":"now-999999y"}})", {}},
      {R"({"range":{"field":"other","gte":"2026"}})", {}},
      {R"({"equals":{"field":"at","value":"2026-11-29"}})",
       between("2026-11-29", "2026-11-29T23:59:59.999Z")},
      {R"({"in":{"field":"at","values":["2026-11-29","2026-11-27"]}})",
       between("2026-11-27", "2026-11-29T23:59:59.999Z")},
      {R"({"exists":{"field":"at"}})", {}},
  };
  for (const auto& [filter, want] : cases) {
    const auto got = range_of(filter);
    EXPECT_EQ(got.from, want.from) << filter;
    EXPECT_EQ(got.until, want.until) << filter;
  }
}

TEST(TimeRange, OfSeveralFiltersIsNeverNarrowerThanTheyAre) {
  const std::string early = R"({"range":{"field":"at","lt":"2026-11-10T00:00:00Z"}})";
  const std::string late = R"({"range":{"field":"at","gte":"2026-11-20"}})";
  const std::string other = R"({"equals":{"field":"store","value":"s"}})";
  const auto list = [](std::string_view name, const std::string& a, const std::string& b) {
    return "{\"" + std::string(name) + "\":[" + a + "," + b + "]}";
  };
  EXPECT_TRUE(range_of(list("and", early, late)).empty());
  EXPECT_EQ(range_of(list("and", late, other)), between("2026-11-20", ""));
  EXPECT_EQ(range_of(list("or", late, other)), TimeRange());
  EXPECT_EQ(range_of(list("or", early, late)), TimeRange());
  EXPECT_EQ(range_of(list("or", late, list("and", late, early))), between("2026-11-20", ""));
  EXPECT_EQ(range_of("{\"not\":" + late + "}"), TimeRange());
}

// Of an index by day that keeps a year.
size_t touched(std::string_view filter, std::string_view now) {
  const auto node = model::parse_json(filter);
  EXPECT_TRUE(node.has_value());
  const auto range = time_range(*node, "at", at(now));
  const auto window = model::window_at(model::Every::kDay, std::chrono::hours(24 * 365),
                                       std::chrono::hours(24), at(now));
  const auto periods = periods_within(model::Every::kDay, range, window);
  return periods ? periods->size() : 0;
}

TEST(PeriodsWithin, OnlyThoseThatARecentRangeNeeds) {
  const auto last = [](std::string_view hours) {
    return R"({"range":{"field":"at","gte":"now-)" + std::string(hours) + R"(h","lte":"now"}})";
  };
  // At all times of a day. The third of 24 hours is there for clocks that differ.
  for (int minute = 0; minute < 24 * 60; minute += 7) {
    const int64_t ms = at("2026-11-29") + minute * int64_t{60'000};
    const auto now =
        model::period_name(model::Every::kHour, model::period_of(model::Every::kHour, ms));
    const std::string text = now.substr(0, 10) + "T" + now.substr(11) + ":" +
                             (minute % 60 < 10 ? "0" : "") + std::to_string(minute % 60) + ":30Z";
    EXPECT_GE(touched(last("3"), text), 1U) << text;
    EXPECT_LE(touched(last("3"), text), 2U) << text;
    EXPECT_GE(touched(last("24"), text), 2U) << text;
    EXPECT_LE(touched(last("24"), text), 3U) << text;
    EXPECT_GE(touched(last("36"), text), 2U) << text;
    EXPECT_LE(touched(last("36"), text), 3U) << text;
  }
}

TEST(PeriodsWithin, NoneOutsideOfTheWindowAndAllWhereTheyAreMany) {
  const char* now = "2026-11-29T12:30:00Z";
  EXPECT_EQ(touched(R"({"range":{"field":"at","lt":"2020"}})", now), 0U);
  EXPECT_EQ(touched(R"({"range":{"field":"at","gt":"2027"}})", now), 0U);
  EXPECT_EQ(touched(R"({"range":{"field":"at","gte":"2026-11-29T12:00Z"}})", now), 2U);
  const model::Window year{model::Period(0), model::Period(364)};
  EXPECT_EQ(periods_within(model::Every::kDay, {}, year), std::nullopt);
  const model::Window few{model::Period(5), model::Period(7)};
  const std::vector<model::Period> all = {model::Period(5), model::Period(6), model::Period(7)};
  EXPECT_EQ(periods_within(model::Every::kDay, {}, few), all);
}

}  // namespace
}  // namespace searchsync::query
