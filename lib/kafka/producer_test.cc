#include "lib/kafka/producer.h"

#include <gtest/gtest.h>

#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;

class ProducerContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  TestCluster cluster_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Clusters, ProducerContract, ::testing::ValuesIn(cluster_kinds()),
                         kind_name);

TEST_P(ProducerContract, EveryMessageGetsItsDelivery) {
  const auto topic = cluster_.create_topic(2);
  TestProducer producer(cluster_.config());
  for (uint64_t token = 0; token < 100; ++token) {
    const Partition partition(static_cast<int>(token % 2));
    ASSERT_TRUE(producer.producer->send(topic, partition, "key", "value", {}, token << 32));
  }
  EXPECT_EQ(producer.producer->in_flight(), 100u);
  EXPECT_TRUE(producer.deliveries.empty());
  ASSERT_TRUE(until([&] {
    producer.producer->poll(milliseconds(100));
    return producer.producer->in_flight() == 0;
  }));

  std::vector<int64_t> next{0, 0};
  ASSERT_EQ(producer.deliveries.size(), 100u);
  for (const auto& delivery : producer.deliveries) {
    ASSERT_FALSE(delivery.error);
    const auto partition = static_cast<size_t>(delivery.partition.get());
    EXPECT_EQ(delivery.offset.get(), next[partition]++);
    EXPECT_EQ((delivery.token >> 32) % 2, partition);
    EXPECT_EQ(delivery.token >> 33, static_cast<uint64_t>(delivery.offset.get()));
  }
}

TEST_P(ProducerContract, KeysChooseThePartitionAsJavaClientsDo) {
  // Source: org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 11.
  const std::vector<std::pair<std::string, int>> kCases{
      {"{\"id\":1}", 4}, {"kafka", 2}, {"giberish123456789", 2}, {"", 2}};
  const auto topic = cluster_.create_topic(11);
  TestProducer producer(cluster_.config());
  uint64_t token = 0;
  for (const auto& [key, partition] : kCases) {
    ASSERT_TRUE(producer.producer->send(topic, kPartitionByKey, key, "v", {}, token++));
  }
  producer.flush();
  ASSERT_EQ(producer.deliveries.size(), kCases.size());
  for (const auto& delivery : producer.deliveries) {
    const auto& [key, partition] = kCases[delivery.token];
    EXPECT_EQ(delivery.partition.get(), partition) << key;
  }
}

TEST_P(ProducerContract, FullQueueIsALimitThatPollingLifts) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config(), {.queue_messages_max = 10});
  int accepted = 0;
  while (producer.producer->send(topic, Partition(0), "k", "v", {}, 0)) ++accepted;
  EXPECT_EQ(accepted, 10);
  const auto refused = producer.producer->send(topic, Partition(0), "k", "v", {}, 0);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_TRUE(refused.error().retryable());

  ASSERT_TRUE(until([&] { return producer.producer->poll(milliseconds(100)) > 0; }));
  EXPECT_TRUE(producer.producer->send(topic, Partition(0), "k", "v", {}, 0));
  producer.flush();
}

TEST_P(ProducerContract, QueueIsBoundedInBytesToo) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config(), {.queue_bytes_max = 64 << 10});
  const std::string value(1000, 'x');
  size_t accepted = 0;
  while (producer.producer->send(topic, Partition(0), "k", value, {}, 0)) ++accepted;
  EXPECT_LE(accepted, 66u);
  EXPECT_GE(accepted, 60u);
  producer.flush();
}

TEST_P(ProducerContract, TooLargeAMessageIsRefusedForGood) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config(), {.message_bytes_max = 2000});
  const auto sent =
      producer.producer->send(topic, Partition(0), "k", std::string(3000, 'x'), {}, 0);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(sent.error().message.find(topic + " partition 0"), std::string::npos);
  EXPECT_EQ(producer.producer->in_flight(), 0u);
}

TEST_P(ProducerContract, UnknownPartitionFails) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send(topic, 0, "k", "v");
  producer.flush();
  const auto sent = producer.producer->send(topic, Partition(7), "k", "v", {}, 0);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kNotFound);
  EXPECT_NE(sent.error().message.find("partition 7"), std::string::npos);
}

TEST(Producer, FailsWhatItCannotDeliverInTime) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config(), {.delivery_timeout = milliseconds(1500)});
  producer.send("t", 0, "k", "v");
  producer.flush();
  cluster.stop_broker(1);
  ASSERT_TRUE(producer.producer->send("t", Partition(0), "k", "v", {}, 42));
  ASSERT_TRUE(until([&] { return producer.producer->poll(milliseconds(100)) > 0; }));
  const auto& delivery = producer.deliveries.back();
  EXPECT_EQ(delivery.token, 42u);
  ASSERT_TRUE(delivery.error);
  EXPECT_EQ(delivery.error->code, ErrorCode::kTimeout);
  EXPECT_NE(delivery.error->message.find("topic t partition 0"), std::string::npos);
  ASSERT_TRUE(until([&] {
    producer.producer->poll(milliseconds(100));
    return producer.producer->connection_error().has_value();
  }));
  EXPECT_FALSE(producer.producer->fatal_error());

  cluster.start_broker(1);
  ASSERT_TRUE(until([&] {
    producer.send("t", 0, "k", "v");
    producer.flush();
    return !producer.deliveries.back().error;
  }));
  EXPECT_FALSE(producer.producer->connection_error());
}

TEST(Producer, RetriesWhatTheBrokerRefusesForNow) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  constexpr int kNotEnoughReplicas = 19;
  cluster.fail_next(testing::MockKafka::Api::kProduce, {kNotEnoughReplicas, kNotEnoughReplicas});
  TestProducer producer(cluster.config());
  producer.send("t", 0, "k", "v");
  producer.flush();
  ASSERT_EQ(producer.deliveries.size(), 1u);
  EXPECT_FALSE(producer.deliveries[0].error);
}

TEST(Producer, SaysThatItIsBeyondRepair) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send("t", 0, "k", "first");
  producer.flush();
  constexpr int kOutOfOrderSequenceNumber = 45;
  cluster.fail_next(testing::MockKafka::Api::kProduce, {kOutOfOrderSequenceNumber});
  producer.send("t", 0, "k", "second");
  ASSERT_TRUE(until([&] {
    producer.producer->poll(milliseconds(100));
    return producer.producer->fatal_error() && producer.producer->in_flight() == 0;
  }));
  EXPECT_EQ(producer.producer->fatal_error()->code, ErrorCode::kFenced);
  EXPECT_TRUE(producer.deliveries.back().error);
  const auto sent = producer.producer->send("t", Partition(0), "k", "third", {}, 0);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kFenced);

  TestProducer next(cluster.config());
  next.send("t", 0, "k", "second");
  next.flush();
  EXPECT_FALSE(next.deliveries.back().error);
}

TEST(Producer, SaysThatIdempotenceIsNotAllowed) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  constexpr int kClusterAuthorizationFailed = 31;
  cluster.fail_next(testing::MockKafka::Api::kInitProducerId, {kClusterAuthorizationFailed});
  TestProducer producer(cluster.config());  // asks for its id by itself
  ASSERT_TRUE(until([&] {
    producer.producer->poll(milliseconds(100));
    return producer.producer->fatal_error().has_value();
  }));
  EXPECT_EQ(producer.producer->fatal_error()->code, ErrorCode::kPermission);
}

}  // namespace
}  // namespace searchsync::kafka
