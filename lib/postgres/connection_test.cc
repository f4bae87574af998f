#include "lib/postgres/connection.h"

#include <gtest/gtest.h>

namespace searchsync::postgres {
namespace {

TEST(Connection, AStringThatCannotBeParsedIsNotRepeated) {
  for (const char* conninfo :
       {"postgresql://u:s3cret@h:port:x/db", "password=s3cret oops", "s3cret"}) {
    const auto connection = Connection::connect(conninfo, {});
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().code, ErrorCode::kInvalidArgument) << conninfo;
    EXPECT_EQ(connection.error().message.find("s3cret"), std::string::npos);
  }
}

TEST(Connection, NobodyThereIsUnavailableAndTheMessageHoldsNoPassword) {
  const auto connection =
      Connection::connect("postgresql://u:s3cret@/db?host=/nonexistent-socket-folder", {});
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(connection.error().retryable());
  EXPECT_EQ(connection.error().message.find("s3cret"), std::string::npos);
}

TEST(Rows, WithoutAResultThereIsNothing) {
  const Rows rows;
  EXPECT_EQ(rows.size(), 0u);
  EXPECT_EQ(rows.columns(), 0u);
}

}  // namespace
}  // namespace searchsync::postgres
