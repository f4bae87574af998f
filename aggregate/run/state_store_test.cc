#include "aggregate/run/state_store.h"

#include <gtest/gtest.h>

namespace searchsync::aggregate {
namespace {

TEST(StateStore, OfTablesThatAreCountedNoMoreNothingIsLeft) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "states";
  std::filesystem::remove_all(folder);
  const std::string kept = "searchsync.default.domains.table-domain-1";
  const std::string other = "searchsync.default.domains.table-domain-2";
  for (const auto& table : {kept, other}) {
    const auto states = StateStore::open((folder / table).string(), 1 << 20);
    ASSERT_TRUE(states) << states.error().message;
    const auto store = (*states)->store("p");
    store->put("pk", "v");
    store->commit();
    ASSERT_TRUE((*states)->flush());
  }
  std::filesystem::create_directories(folder / "lost+found");
  remove_others(folder, {kept});
  EXPECT_TRUE(std::filesystem::exists(folder / "lost+found"));
  EXPECT_FALSE(std::filesystem::exists(folder / other));
  const auto states = StateStore::open((folder / kept).string(), 1 << 20);
  ASSERT_TRUE(states);
  std::string value;
  EXPECT_TRUE((*states)->store("p")->get("pk", value));
  remove_others(folder / "nowhere", {});
}

}  // namespace
}  // namespace searchsync::aggregate
