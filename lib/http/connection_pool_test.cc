#include "lib/http/connection_pool.h"

#include <gtest/gtest.h>

namespace searchsync::http {
namespace {

// Else the first connections of a server would have others ended that are idle, or be refused.
TEST(ConnectionPoolTest, AThreadThatHasYetToStartIsFree) {
  for (int i = 0; i < 100; ++i) {
    int served = 0;
    ConnectionPool pool(1, 0);
    EXPECT_TRUE(pool.add([&] { ++served; }));
    pool.stop();
    EXPECT_EQ(served, 1);
  }
}

}  // namespace
}  // namespace searchsync::http
