#include "aggregate/core/id_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace searchsync::aggregate {
namespace {

using std::chrono::milliseconds;

struct Arrival {
  std::string id;
  int64_t at_ms = 0;
};

// By the definition, from nothing but the arrivals.
std::vector<bool> expected(const std::vector<Arrival>& arrivals, int64_t window_ms) {
  std::vector<bool> seen;
  std::map<std::string, int64_t> last;  // slice
  int64_t newest = INT64_MIN;
  for (const auto& [id, at_ms] : arrivals) {
    newest = std::max(newest, at_ms);
    const int64_t slice = newest / (window_ms / 8);
    const auto known = last.find(id);
    seen.push_back(known != last.end() && slice - known->second <= 8);
    last[id] = slice;
  }
  return seen;
}

std::vector<Arrival> draw(std::mt19937_64& random, size_t count) {
  std::vector<Arrival> arrivals;
  int64_t now = 1'700'000'000'000;
  for (size_t i = 0; i < count; ++i) {
    now += static_cast<int64_t>(random() % (random() % 200 == 0 ? 5'000 : 10));
    if (random() % 1000 == 0) now += 300'000;  // many slices
    const auto late = static_cast<int64_t>(random() % 10 == 0 ? random() % 700 : 0);
    arrivals.push_back({std::to_string(random() % 400), now - late});
  }
  return arrivals;
}

bool seen(IdWindow& window, std::string_view id, int64_t at_ms) {
  window.arrived(at_ms);
  return window.seen(id);
}

TEST(IdWindow, RemembersAsLongAsItSays) {
  IdWindow window(milliseconds(800));
  EXPECT_FALSE(seen(window, "a", 1000));
  EXPECT_TRUE(seen(window, "a", 1001));
  EXPECT_TRUE(seen(window, "a", 1801));   // it was there 800 ms before
  EXPECT_TRUE(seen(window, "a", 2600));   // and it is remembered since then
  EXPECT_FALSE(seen(window, "a", 3600));  // more than nine eighths after
  EXPECT_EQ(window.size(), 1u);
  EXPECT_EQ(window.oldest_ms(3600), 2800);
}

TEST(IdWindow, FollowsTheDefinition) {
  std::mt19937_64 random(3);
  for (int run = 0; run < 20; ++run) {
    const auto arrivals = draw(random, 5000);
    const auto want = expected(arrivals, 800);
    IdWindow window(milliseconds(800));
    for (size_t i = 0; i < arrivals.size(); ++i) {
      ASSERT_EQ(seen(window, arrivals[i].id, arrivals[i].at_ms), want[i]) << i;
    }
  }
}

// From what was taken, or from the arrivals since oldest_ms(): the same from there on.
TEST(IdWindow, IsRestoredFromWhatWasTakenOrFromTheArrivals) {
  std::mt19937_64 random(5);
  for (int run = 0; run < 20; ++run) {
    const auto arrivals = draw(random, 5000);
    const auto want = expected(arrivals, 800);
    const size_t stop = 1000 + random() % 3000;
    IdWindow first(milliseconds(800)), loaded(milliseconds(800)), read(milliseconds(800));
    for (size_t i = 0; i < stop; ++i) {
      (void)seen(first, arrivals[i].id, arrivals[i].at_ms);
      if (random() % 50 == 0) {
        ASSERT_TRUE(loaded.load(first.take_added()));
      }
    }
    ASSERT_TRUE(loaded.load(first.take_added()));
    EXPECT_EQ(loaded.newest_ms(), first.newest_ms());
    EXPECT_EQ(loaded.size(), first.size());
    // As Kafka finds an offset by time: the first that is not earlier.
    const int64_t since = read.oldest_ms(arrivals[stop].at_ms);
    const auto from =
        std::ranges::find_if(arrivals, [&](const Arrival& one) { return one.at_ms >= since; });
    for (size_t i = static_cast<size_t>(from - arrivals.begin()); i < stop; ++i) {
      (void)seen(read, arrivals[i].id, arrivals[i].at_ms);
    }
    for (size_t i = stop; i < arrivals.size(); ++i) {
      ASSERT_EQ(seen(loaded, arrivals[i].id, arrivals[i].at_ms), want[i]) << i;
      ASSERT_EQ(seen(read, arrivals[i].id, arrivals[i].at_ms), want[i]) << i;
    }
  }
}

TEST(IdWindow, ReadsALongHistoryWithoutMistakingOldIdsForNewOnes) {
  IdWindow window(milliseconds(800));
  for (int64_t i = 0; i < 600; ++i) {
    ASSERT_FALSE(seen(window, std::to_string(i), i * 100)) << i;  // a slice each
  }
  IdWindow loaded(milliseconds(800));
  ASSERT_TRUE(loaded.load(window.take_added()));
  EXPECT_EQ(loaded.size(), 9u);
  EXPECT_FALSE(seen(loaded, "343", 600 * 100));  // 256 slices ago
  EXPECT_TRUE(seen(loaded, "599", 600 * 100));
}

TEST(IdWindow, RefusesBytesThatItDidNotGive) {
  IdWindow window(milliseconds(800));
  EXPECT_TRUE(window.load(""));
  EXPECT_FALSE(window.load("\xff"));
  EXPECT_FALSE(window.load(std::string("\x02", 1) + "seven.."));
}

}  // namespace
}  // namespace searchsync::aggregate
