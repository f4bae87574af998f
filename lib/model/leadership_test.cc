#include "lib/model/leadership.h"

#include <gtest/gtest.h>

namespace searchsync::model {
namespace {

TEST(Leadership, KnowsWhoLedBefore) {
  Leadership lead{.own = Generation(2), .leader = Generation(1)};
  lead.pass(Generation(1), Offset(5));
  EXPECT_EQ(lead, (Leadership{.own = Generation(2), .leader = Generation(1)}));
  lead.pass(Generation(2), Offset(10));
  lead.pass(Generation(2), Offset(20));
  EXPECT_EQ(lead.since, Offset(10)) << "nobody else led in between";
  lead.pass(Generation(3), Offset(30));
  EXPECT_EQ(lead.before, (std::vector{Generation(1), Generation(2)}));
  lead.pass(Generation(1), Offset(40));
  EXPECT_EQ(lead.leader, Generation(1));
  EXPECT_EQ(lead.since, Offset(40));
  EXPECT_EQ(lead.before, (std::vector{Generation(2), Generation(3)}));
  for (int32_t i = 4; i < 20; ++i) lead.pass(Generation(i), Offset(i * 10));
  EXPECT_EQ(lead.before.size(), Leadership::kBeforeMax);
  EXPECT_EQ(lead.before.back(), Generation(18));
}

TEST(Leadership, IsANote) {
  Leadership lead{.own = Generation(2), .leader = Generation(1)};
  EXPECT_EQ(to_note(lead), "1 2 1 -1");
  EXPECT_EQ(parse_note(to_note(lead)), lead);
  lead.pass(Generation(2), Offset(1'000'000'000'000));
  EXPECT_EQ(to_note(lead), "1 2 2 1000000000000 1");
  EXPECT_EQ(parse_note(to_note(lead)), lead);
  for (const char* none : {"", "1", "1 2 1", "1 2 1 x", "1 2 1 -1,", "2 2 1 -1", "a note", "1  2 1",
                           "1 2 1 99999999999999999999"}) {
    EXPECT_EQ(parse_note(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace searchsync::model
