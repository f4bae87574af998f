#include "lib/base/utf8.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

TEST(CutUtf8, KeepsCharactersWhole) {
  EXPECT_EQ(cut_utf8("abc", 3), "abc");
  EXPECT_EQ(cut_utf8("abcd", 3), "abc");
  EXPECT_EQ(cut_utf8("a\xc3\xa9", 2), "a");
  EXPECT_EQ(cut_utf8("\xe2\x82\xac", 2), "");
}

}  // namespace
}  // namespace searchsync
