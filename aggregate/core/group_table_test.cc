#include "aggregate/core/group_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace searchsync::aggregate {
namespace {

std::string key_of(uint64_t number) {
  return "key-" + std::to_string(number) + std::string(number % 40, 'x');
}

// Against a map: whatever is evicted, and whatever it grows to, it says what was set last.
TEST(GroupTable, IsAMapWhateverIsEvicted) {
  std::mt19937_64 random(7);
  for (const size_t bytes_max : {size_t{1} << 30, size_t{100'000}, size_t{0}}) {
    worker::MemoryStore store;
    Memory memory{.bytes_max = bytes_max};
    std::map<std::string, std::string> model;
    {
      GroupTable table(store, "g", memory);
      table.store_is_empty();
      for (int i = 0; i < 30'000; ++i) {
        const auto key = key_of(random() % 3000);
        auto* entry = table.find(key);
        ASSERT_EQ(entry != nullptr, model.contains(key)) << key;
        if (entry != nullptr) {
          ASSERT_EQ(entry->key(), key);
          ASSERT_EQ(entry->state(), model[key]);
        }
        const std::string state(random() % 60, static_cast<char>('a' + random() % 26));
        entry = entry == nullptr ? table.add(key, state) : table.set_state(entry, state);
        model[key] = state;
        table.save(*entry);
        store.commit();
        if (i % 7 == 0) table.evict();
        if (bytes_max >= 100'000 && i % 7 == 0) {
          ASSERT_LE(memory.bytes, bytes_max + 64 * 1024);
        }
      }
      table.evict();
      EXPECT_EQ(table.size() < model.size(), bytes_max < size_t{1} << 30);
    }
    EXPECT_EQ(memory.bytes, 0u);
  }
}

// What is forgotten must leave its room where others will come: everywhere.
TEST(GroupTable, NoRunIsLongHoweverManyWereForgotten) {
  worker::MemoryStore store;
  Memory memory{.bytes_max = 2'000'000};
  GroupTable table(store, "g", memory);
  table.store_is_empty();
  size_t longest = 0;
  for (uint64_t i = 0; i < 100'000; ++i) {
    table.add(key_of(i), "a state of some length");
    if (i % 100 == 0) table.evict();
    if (i % 1000 == 0) longest = std::max(longest, table.longest_run());
  }
  EXPECT_GT(table.size(), 10'000u);
  EXPECT_LT(longest, 500u);
}

TEST(GroupTable, LeavesWhatIsPinned) {
  worker::MemoryStore store;
  Memory memory{.bytes_max = 0};
  GroupTable table(store, "g", memory);
  auto* kept = table.add("kept", "1");
  kept->pinned = 1;
  kept = table.set_state(kept, "a state that is longer than the first, so that it moves");
  EXPECT_EQ(kept->pinned, 1u);
  for (int i = 0; i < 100; ++i) table.save(*table.add(key_of(i), "2"));
  table.evict();
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.find("kept"), kept);
  EXPECT_EQ(table.find(key_of(5))->state(), "2");
}

}  // namespace
}  // namespace searchsync::aggregate
