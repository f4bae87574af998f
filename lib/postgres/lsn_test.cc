#include "lib/postgres/lsn.h"

#include <gtest/gtest.h>

namespace searchsync::postgres {
namespace {

TEST(Lsn, TextGoesThereAndBack) {
  for (const uint64_t value : {0ull, 1ull, 0x16B374D848ull, ~0ull}) {
    EXPECT_EQ(parse_lsn(to_string(Lsn(value)))->get(), value);
  }
  EXPECT_EQ(to_string(Lsn(0x16B374D848)), "16/B374D848");
}

TEST(Lsn, OtherTextIsRefused) {
  for (const char* text : {"", "/", "1/", "/1", "1", "1/2/3", "x/1", "1/100000000", " 1/2"}) {
    EXPECT_FALSE(parse_lsn(text)) << text;
  }
}

}  // namespace
}  // namespace searchsync::postgres
