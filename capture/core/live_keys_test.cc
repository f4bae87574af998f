#include "capture/core/live_keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace searchsync::capture {
namespace {

using Kind = TopicRecord::Kind;
struct Record {
  std::string key;
  Kind kind;
  uint64_t lsn;
};

std::multiset<std::string> alive(const std::vector<Record>& records, uint64_t below,
                                 size_t bytes_max = 1 << 20) {
  std::multiset<std::string> keys;
  LiveKeys live(bytes_max);
  do {
    for (const Record& record : records) {
      live.add(record.key, {.kind = record.kind, .position = {1, record.lsn}});
    }
    EXPECT_TRUE(live.each({1, below}, [&](std::string_view key) -> Result<void> {
      keys.emplace(key);
      return {};
    }));
  } while (live.next_slice());
  return keys;
}

TEST(LiveKeys, TheLastRecordAndTheHighestBothCount) {
  const std::vector<Record> records = {
      {"row", Kind::kRow, 5},         {"gone", Kind::kRow, 5},  {"gone", Kind::kDelete, 6},
      {"gone", Kind::kTombstone, 0},  {"again", Kind::kRow, 5}, {"again", Kind::kDelete, 6},
      {"again", Kind::kTombstone, 0}, {"again", Kind::kRow, 5}, {"back", Kind::kRow, 7},
      {"back", Kind::kDelete, 4},     {"new", Kind::kRow, 20}};
  EXPECT_EQ(alive(records, 10), std::multiset<std::string>({"again", "back", "row"}));
}

TEST(LiveKeys, SlicesMissNothing) {
  std::vector<Record> records;
  std::set<std::string> want;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i);
    records.push_back({key, Kind::kRow, 5});
    if (i % 3 == 0) records.push_back({key, Kind::kDelete, 6});
    if (i % 3 != 0) want.insert(key);
  }
  const auto found = alive(records, 10, 2000);
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), want);
}

}  // namespace
}  // namespace searchsync::capture
