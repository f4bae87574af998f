#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/kafka/admin.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/producer.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::kafka {

// The cluster a test runs against: the mock, or the one that SEARCHSYNC_TEST_KAFKA names.
class TestCluster {
 public:
  enum class Kind { kMock, kReal };

  explicit TestCluster(Kind kind);

  ClientConfig config() const;
  // The mock's rebalances take as long as a session lasts, a real broker's don't.
  Consumer::Options member_options() const;
  // Makes a topic with a name of its own, so that runs against one broker do not meet.
  std::string create_topic(int partitions);
  // A name for a group, likewise.
  std::string unique_name(const std::string& what);

 private:
  std::unique_ptr<testing::MockKafka> mock_;
  std::unique_ptr<Admin> admin_;
};

// The kinds there are to run a suite against.
std::vector<TestCluster::Kind> cluster_kinds();
std::vector<TestCluster::Kind> real_kinds();  // for what the mock does not do
std::string kind_name(const ::testing::TestParamInfo<TestCluster::Kind>& info);

// Calls `step` until it says true; false if that takes longer than half a minute.
bool until(const std::function<bool()>& step);

// A producer that keeps its deliveries; what it cannot send or flush fails the test.
struct TestProducer {
  explicit TestProducer(const ClientConfig& config, const Producer::Options& options = {});

  void send(const std::string& topic, int partition, std::optional<std::string_view> key,
            std::optional<std::string_view> value, std::vector<Header> headers = {});
  // "0", "1", …, `count` - 1.
  void send_numbers(const std::string& topic, int partition, int count);
  void flush();

  std::vector<Delivery> deliveries;
  std::unique_ptr<Producer> producer;
};

std::unique_ptr<Consumer> make_reader(const ClientConfig& config,
                                      const std::vector<PartitionStart>& starts,
                                      const Consumer::Options& options = {});

// A message that outlives its batch.
struct Record {
  std::string topic;
  int partition = 0;
  int64_t offset = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  friend bool operator==(const Record&, const Record&) = default;
};

// Polls once and appends the messages.
void poll_into(Consumer& consumer, std::vector<Record>& records);

}  // namespace searchsync::kafka
