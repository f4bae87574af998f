#include "lib/postgres/quote.h"

#include <gtest/gtest.h>

#include <vector>

namespace searchsync::postgres {
namespace {

TEST(Quote, NothingEndsTheQuoteEarly) {
  EXPECT_EQ(quote_identifier("bugs"), "\"bugs\"");
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_qualified("public", "My Table"), "\"public\".\"My Table\"");
  EXPECT_EQ(quote_literal("it's \\ fine"), "'it''s \\ fine'");
}

TEST(Quote, ArraysKeepEveryElement) {
  const std::vector<std::string> values = {"a", "", "x,y", "q\"\\", "NULL"};
  EXPECT_EQ(array_literal(values), R"({"a","","x,y","q\"\\","NULL"})");
  EXPECT_EQ(array_literal({}), "{}");
}

}  // namespace
}  // namespace searchsync::postgres
