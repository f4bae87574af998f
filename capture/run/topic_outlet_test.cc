#include "capture/run/topic_outlet.h"

#include <gtest/gtest.h>

#include <chrono>

#include "lib/testing/mock_kafka.h"

namespace searchsync::capture {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool poll_until(TopicOutlet& outlet, const auto& done) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    const auto polled = outlet.poll(milliseconds(10));
    EXPECT_TRUE(polled) << polled.error().message;
  }
  return true;
}

// Of a quiet database there is no further one.
TEST(TopicOutlet, SaysThatAPositionWasLost) {
  testing::MockKafka cluster;
  cluster.create_topic("positions", 1);
  auto config = cluster.config();
  config.extra["message.timeout.ms"] = "500";
  const auto admin = kafka::Admin::create(config, {.timeout = seconds(10)});
  ASSERT_TRUE(admin);
  const auto outlet = TopicOutlet::create(
      {.kafka = config, .topics = {}, .state_topic = "state", .positions_topic = "positions"},
      **admin);
  ASSERT_TRUE(outlet);
  (*outlet)->while_waiting([]() -> Result<void> { return {}; });

  ASSERT_TRUE((*outlet)->publish_position("db", "{}"));
  ASSERT_TRUE(poll_until(**outlet, [&] { return (*outlet)->in_flight() == 0; }));
  EXPECT_FALSE((*outlet)->take_position_lost());

  cluster.stop_broker(1);
  ASSERT_TRUE((*outlet)->publish_position("db", "{}"));
  ASSERT_TRUE(poll_until(**outlet, [&] { return (*outlet)->in_flight() == 0; }));
  EXPECT_TRUE((*outlet)->take_position_lost());
  EXPECT_FALSE((*outlet)->take_position_lost());
}

}  // namespace
}  // namespace searchsync::capture
