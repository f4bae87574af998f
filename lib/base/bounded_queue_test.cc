#include "lib/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace searchsync {
namespace {

using std::chrono::milliseconds;

TEST(BoundedQueue, KeepsOrderAndRefusesPastItsLimit) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push(2));
  EXPECT_FALSE(queue.try_push(3));
  queue.push_always(4);
  EXPECT_EQ(queue.pop(milliseconds(0)), 1);
  EXPECT_EQ(queue.drain(), (std::vector<int>{2, 4}));
  EXPECT_EQ(queue.pop(milliseconds(0)), std::nullopt);
}

TEST(BoundedQueue, PassesEverythingBetweenThreads) {
  BoundedQueue<int> queue(8);
  std::jthread producer([&queue] {
    for (int i = 0; i < 1000;) {
      if (queue.try_push(int(i))) ++i;
    }
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.pop(milliseconds(10'000)), i);
}

}  // namespace
}  // namespace searchsync
