#include "query/freshness.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::query {
namespace {

using nlohmann::json;

constexpr int64_t kNow = 1'000'000;

TEST(Freshness, CountsWhatIsNotCommitted) {
  struct Case {
    std::vector<PartitionProgress> partitions;
    int64_t records;
    std::optional<int64_t> millis;
  };
  for (const auto& [partitions, records, millis] : std::vector<Case>{
           {{}, 0, 0},
           {{{.end = 7, .committed = 7}}, 0, 0},
           {{{.begin = 7, .end = 7}}, 0, 0},                  // empty, never committed
           {{{.begin = 9, .end = 9, .committed = 3}}, 0, 0},  // deleted before it was read
           {{{.begin = 2, .end = 7, .oldest_ms = kNow - 5}}, 5, 5},
           {{{.begin = 5, .end = 7, .committed = 3, .oldest_ms = kNow - 5}}, 2, 5},
           {{{.end = 7, .committed = 6, .oldest_ms = kNow + 50}}, 1, 0},  // a clock ahead of ours
           {{{.end = 7, .committed = 6}}, 1, std::nullopt},
           {{{.end = 7, .committed = 6, .oldest_ms = kNow - 5},
             {.end = 9, .committed = 6, .oldest_ms = kNow - 50},
             {.end = 9, .committed = 9}},
            4,
            50},
           {{{.end = 7, .committed = 6, .oldest_ms = kNow - 5}, {.end = 9, .committed = 6}},
            4,
            std::nullopt},
       }) {
    const Lag lag = lag_of(partitions, kNow);
    EXPECT_EQ(lag.records, records);
    EXPECT_EQ(lag.millis, millis);
  }
}

TEST(Freshness, ASourceIsAsFarBehindAsTheLogOfAll) {
  const Progress progress{
      .at = std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000)),
      .now_ms = kNow,
      .index = "runs-1",
      .document_log = {{.end = 5, .committed = 4, .oldest_ms = kNow - 30}},
      .sources = {{.binding = "run", .topic = "runs", .partitions = {{.end = 5, .committed = 5}}},
                  {.binding = "bug",
                   .topic = "bugs",
                   .partitions = {{.end = 5, .committed = 3, .oldest_ms = kNow - 70}}},
                  {.binding = "gone", .topic = "gone", .partitions = {}}}};
  EXPECT_EQ(json::parse(render(progress)), json::parse(R"({
      "at":"2023-11-14T22:13:20Z","index":"runs-1",
      "documentLog":{"recordsBehind":1,"behindMs":30},
      "sources":[{"binding":"run","topic":"runs","recordsBehind":0,"behindMs":30},
                 {"binding":"bug","topic":"bugs","recordsBehind":2,"behindMs":70},
                 {"binding":"gone","topic":"gone","recordsBehind":0,"behindMs":null}]})"));
  EXPECT_EQ(json::parse(render_unknown(progress.at, "why")),
            json::parse(R"({"at":"2023-11-14T22:13:20Z","unknown":"why"})"));
}

}  // namespace
}  // namespace searchsync::query
