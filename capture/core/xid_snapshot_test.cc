#include "capture/core/xid_snapshot.h"

#include <gtest/gtest.h>

namespace searchsync::capture {
namespace {

TEST(XidSnapshot, SeesWhatHadEnded) {
  const auto snapshot = XidSnapshot::parse("10:20:10,15");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->xmin(), 10u);
  EXPECT_EQ(snapshot->xmax(), 20u);
  for (const uint32_t xid : {3u, 9u, 11u, 14u, 16u, 19u}) EXPECT_TRUE(snapshot->sees(xid)) << xid;
  for (const uint32_t xid : {10u, 15u, 20u, 21u}) EXPECT_FALSE(snapshot->sees(xid)) << xid;
}

TEST(XidSnapshot, IdsGoRoundAt32Bits) {
  const uint64_t era = uint64_t{3} << 32;
  const XidSnapshot snapshot(era - 2, era + 5, {era - 2, era + 3});
  EXPECT_TRUE(snapshot.sees(0xFFFFFFFFu));
  EXPECT_FALSE(snapshot.sees(0xFFFFFFFEu));
  EXPECT_TRUE(snapshot.sees(2));
  EXPECT_FALSE(snapshot.sees(3));
  EXPECT_FALSE(snapshot.sees(5));
}

TEST(XidSnapshot, OtherTextIsRefused) {
  EXPECT_TRUE(XidSnapshot::parse("10:10:"));
  for (const char* text :
       {"", "10", "10:20", "10:20:15,", "20:10:", "a:b:", "10:20:x", "10:20:1 "}) {
    EXPECT_FALSE(XidSnapshot::parse(text)) << text;
  }
}

}  // namespace
}  // namespace searchsync::capture
