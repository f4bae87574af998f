#include "lib/dead_letters/ledger.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace searchsync::dead_letters {
namespace {

Place place(int partition, int64_t offset) {
  return {Partition(partition), Offset(offset)};
}

Ledger::Run run(int partition, int64_t first, int64_t last, std::string label) {
  return {Partition(partition), Offset(first), Offset(last), std::move(label)};
}

using Runs = std::vector<Ledger::Run>;

TEST(Ledger, KeepsRuns) {
  Ledger ledger;
  for (int64_t offset = 0; offset < 5; ++offset) ledger.add(place(0, offset), "a");
  ledger.add(place(0, 5), "b");
  ledger.add(place(0, 9), "b");
  ledger.add(place(1, 6), "a");
  EXPECT_EQ(ledger.runs(),
            (Runs{run(0, 0, 4, "a"), run(0, 5, 5, "b"), run(0, 9, 9, "b"), run(1, 6, 6, "a")}));
  EXPECT_EQ(ledger.count("a"), 6);
  EXPECT_EQ(ledger.count("c"), 0);

  ledger.remove(Partition(0), Offset(2), Offset(7));
  EXPECT_EQ(ledger.runs(), (Runs{run(0, 0, 1, "a"), run(0, 9, 9, "b"), run(1, 6, 6, "a")}));
  ledger.remove(Partition(0), Offset(2), Offset(7));
  EXPECT_EQ(ledger.total(), 4) << "it was dealt with before";
  ledger.expire(Partition(0), Offset(9));
  EXPECT_EQ(ledger.runs(), (Runs{run(0, 9, 9, "b"), run(1, 6, 6, "a")}));
  EXPECT_TRUE(ledger.labelled());
}

TEST(Ledger, BeyondItsBoundLabelsAreLost) {
  Ledger ledger(2);
  for (int64_t offset = 0; offset < 6; ++offset) {
    ledger.add(place(0, offset), offset % 2 == 0 ? "even" : "odd");
  }
  EXPECT_FALSE(ledger.labelled());
  EXPECT_EQ(ledger.total(), 6);
  EXPECT_EQ(ledger.runs(), (Runs{run(0, 0, 0, "even"), run(0, 1, 5, "odd")}));
  EXPECT_TRUE(ledger.contains(place(0, 4)));
}

// Against a set of letters that are open.
TEST(Ledger, EqualsASet) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const auto below = [&](int64_t bound) {
      return std::uniform_int_distribution<int64_t>(0, bound - 1)(rng);
    };
    Ledger ledger;
    std::map<Place, std::string> open;
    int64_t ends[2] = {0, 0};
    for (int step = 0; step < 100; ++step) {
      const auto partition = static_cast<int>(below(2));
      auto& end = ends[partition];
      if (below(3) > 0) {
        end += below(4) == 0 ? 1 : 0;
        const std::string label = below(4) == 0 ? "b" : "a";
        ledger.add(place(partition, end), label);
        open[place(partition, end++)] = label;
        continue;
      }
      const bool expire = below(5) == 0;
      const int64_t first = expire ? 0 : below(end + 1);
      const int64_t last = expire ? below(end + 1) / 3 - 1 : first + below(6);
      if (expire) {
        ledger.expire(Partition(partition), Offset(last + 1));
      } else {
        ledger.remove(Partition(partition), Offset(first), Offset(last));
      }
      std::erase_if(open, [&](const auto& entry) {
        return entry.first.partition.get() == partition && entry.first.offset.get() >= first &&
               entry.first.offset.get() <= last;
      });
    }
    std::map<Place, std::string> runs;
    for (const auto& one : ledger.runs()) {
      for (int64_t at = one.first.get(); at <= one.last.get(); ++at) {
        runs[{one.partition, Offset(at)}] = one.label;
      }
    }
    ASSERT_EQ(runs, open);
    std::map<std::string, int64_t, std::less<>> counts;
    for (const auto& [at, label] : open) ++counts[label];
    ASSERT_EQ(ledger.counts(), counts);
    ASSERT_EQ(ledger.total(), static_cast<int64_t>(open.size()));
    for (int64_t at = 0; at < ends[0]; ++at) {
      ASSERT_EQ(ledger.contains(place(0, at)), open.contains(place(0, at))) << at;
    }
  }
}

}  // namespace
}  // namespace searchsync::dead_letters
