#include "worker/run/state_database.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <vector>

#include "worker/core/keys.h"

namespace searchsync::worker {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

class StateDatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "state_" + std::to_string(::getpid());
    std::filesystem::remove_all(folder_);
    open();
  }
  void TearDown() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    database_.reset();
    auto opened = StateDatabase::open(folder_, {.memory_bytes = 1 << 20});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    database_ = std::move(*opened);
  }

  std::string folder_;
  std::unique_ptr<StateDatabase> database_;
};

Entries scan(Store& store, std::string_view prefix, std::string_view after, size_t most = 1000) {
  Entries entries;
  store.scan(prefix, after, [&](std::string_view key, std::string_view value) {
    entries.emplace_back(key, value);
    return entries.size() < most;
  });
  return entries;
}

// Random writes, reads and commits: at every step it reads like a std::map.
TEST_F(StateDatabaseTest, ReadsLikeAMap) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  const auto below = [&rng](uint64_t bound) { return rng() % bound; };
  const StateKeys keys(Partition(7));
  const std::string own = keys.all();
  auto store = database_->partition(Partition(7));
  MemoryStore model;
  for (int step = 0; step < 4000; ++step) {
    const std::string root = "root" + std::to_string(below(5));
    const std::string name = std::to_string(below(40));
    const std::string key = below(2) == 0 ? own + static_cast<char>('a' + below(3)) + name
                                          : keys.child(root, 1, 0, name);
    switch (below(9)) {
      case 0:
      case 1:
      case 2: {
        const std::string value(below(50), 'v');
        store->put(key, value);
        model.put(key, value);
        break;
      }
      case 3:
        store->erase(key);
        model.erase(key);
        break;
      case 4:
        store->commit();
        if (below(20) == 0) {
          ASSERT_TRUE(database_->flush());
        }
        break;
      case 5: {
        const std::string prefix = key.substr(0, own.size() + 1 + below(2));
        const std::string after = below(2) == 0 ? std::string() : key;
        ASSERT_EQ(scan(*store, prefix, after), scan(model, prefix, after));
        ASSERT_EQ(scan(*store, prefix, after, 2), scan(model, prefix, after, 2));
        break;
      }
      case 6: {
        const std::string after = below(2) == 0 ? std::string() : keys.child(root, 1, 0, name);
        ASSERT_EQ(scan(*store, keys.children(root), after),
                  scan(model, keys.children(root), after));
        break;
      }
      default: {
        std::string got = "before", want = "before";
        ASSERT_EQ(store->get(key, got), model.get(key, want));
        ASSERT_EQ(got, want);
      }
    }
  }
}

TEST_F(StateDatabaseTest, KeepsWhatWasFlushedAndForgetsWhatWasNotCommitted) {
  const StateKeys keys(Partition(1));
  auto store = database_->partition(Partition(1));
  store->put(keys.progress(), "committed");
  store->commit();
  store->put(keys.fan_outs(), "not committed");
  ASSERT_TRUE(database_->flush().has_value());
  store.reset();
  open();
  store = database_->partition(Partition(1));
  std::string value;
  EXPECT_TRUE(store->get(keys.progress(), value));
  EXPECT_EQ(value, "committed");
  EXPECT_FALSE(store->get(keys.fan_outs(), value));
}

TEST_F(StateDatabaseTest, ClearsOnePartitionOnly) {
  const StateKeys first(Partition(1)), second(Partition(2));
  auto one = database_->partition(Partition(1)), two = database_->partition(Partition(2));
  one->put(first.progress(), "1");
  two->put(second.progress(), "2");
  one->commit();
  two->commit();
  one->clear();
  std::string value;
  EXPECT_FALSE(one->get(first.progress(), value));
  EXPECT_TRUE(two->get(second.progress(), value));
}

TEST_F(StateDatabaseTest, SaysWhichFolderCannotBeOpened) {
  const auto again = StateDatabase::open(folder_, {});  // open already
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(again.error().message.find(folder_), std::string::npos);
}

}  // namespace
}  // namespace searchsync::worker
