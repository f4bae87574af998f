#include "lib/base/hash.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

// Stored names and partitions depend on these values: a change here orphans every running index.
TEST(StableHash, NeverChanges) {
  EXPECT_EQ(stable_hash_hex("", 16), "efd01f60ba992926");
  EXPECT_EQ(stable_hash_hex("run/42", 8), stable_hash_hex("run/42", 16).substr(0, 8));
  EXPECT_NE(stable_hash("a"), stable_hash("b"));
  EXPECT_NE(stable_hash("a", 1), stable_hash("a", 2));
}

}  // namespace
}  // namespace searchsync
