#include "lib/postgres/sqlstate.h"

#include <gtest/gtest.h>

namespace searchsync::postgres {
namespace {

TEST(Sqlstate, ExactStatesWinOverTheirClass) {
  EXPECT_EQ(code_of_sqlstate("42501"), ErrorCode::kPermission);
  EXPECT_EQ(code_of_sqlstate("42601"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of_sqlstate("57014"), ErrorCode::kTimeout);
  EXPECT_EQ(code_of_sqlstate("57P01"), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of_sqlstate("28P01"), ErrorCode::kPermission);
  EXPECT_EQ(code_of_sqlstate("53300"), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of_sqlstate("53400"), ErrorCode::kLimit);
}

TEST(Sqlstate, TheUnknownIsInternal) {
  EXPECT_EQ(code_of_sqlstate(""), ErrorCode::kInternal);
  EXPECT_EQ(code_of_sqlstate("P0001"), ErrorCode::kInternal);
}

}  // namespace
}  // namespace searchsync::postgres
