#include "lib/kafka/kafka_test_support.h"

#include <fmt/core.h>

#include <cstdlib>
#include <random>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::kafka {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
const char* real_broker() {
  return std::getenv("SEARCHSYNC_TEST_KAFKA");
}
}  // namespace

TestCluster::TestCluster(Kind kind) {
  if (kind == Kind::kMock) {
    mock_ = std::make_unique<testing::MockKafka>();
  } else {
    auto admin = Admin::create(config(), {});
    CHECK(admin, "{}", admin.error().message);
    admin_ = std::move(*admin);
  }
}

ClientConfig TestCluster::config() const {
  if (mock_) return mock_->config();
  ClientConfig config;
  config.bootstrap_servers = {real_broker()};
  return config;
}

Consumer::Options TestCluster::member_options() const {
  if (!mock_) return {};
  return {.session_timeout = milliseconds(5000)};
}

std::string TestCluster::create_topic(int partitions) {
  auto name = unique_name("topic");
  if (mock_) {
    mock_->create_topic(name, partitions);
  } else {
    const auto created =
        admin_->create_topic({.name = name, .partitions = partitions, .replication_factor = 1});
    CHECK(created, "{}", created.error().message);
  }
  return name;
}

std::string TestCluster::unique_name(const std::string& what) {
  std::random_device random;
  return fmt::format("test.{}.{:08x}", what, random());
}

std::vector<TestCluster::Kind> cluster_kinds() {
  if (real_broker()) return {TestCluster::Kind::kMock, TestCluster::Kind::kReal};
  return {TestCluster::Kind::kMock};
}

std::vector<TestCluster::Kind> real_kinds() {
  auto kinds = cluster_kinds();
  std::erase(kinds, TestCluster::Kind::kMock);
  return kinds;
}

std::string kind_name(const ::testing::TestParamInfo<TestCluster::Kind>& info) {
  return info.param == TestCluster::Kind::kMock ? "Mock" : "Real";
}

bool until(const std::function<bool()>& step) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (!step()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

TestProducer::TestProducer(const ClientConfig& config, const Producer::Options& options) {
  auto made = Producer::create(config, options,
                               [this](const Delivery& each) { deliveries.push_back(each); });
  CHECK(made, "{}", made.error().message);
  producer = std::move(*made);
}

void TestProducer::send(const std::string& topic, int partition,
                        std::optional<std::string_view> key, std::optional<std::string_view> value,
                        std::vector<Header> headers) {
  const auto sent = producer->send(topic, Partition(partition), key, value, headers, 0);
  ASSERT_TRUE(sent) << sent.error().message;
}

void TestProducer::send_numbers(const std::string& topic, int partition, int count) {
  for (int i = 0; i < count; ++i) send(topic, partition, std::nullopt, std::to_string(i));
  flush();
}

void TestProducer::flush() {
  const auto flushed = producer->flush(seconds(30));
  ASSERT_TRUE(flushed) << flushed.error().message;
}

std::unique_ptr<Consumer> make_reader(const ClientConfig& config,
                                      const std::vector<PartitionStart>& starts,
                                      const Consumer::Options& options) {
  auto made = Consumer::reader(config, options);
  CHECK(made, "{}", made.error().message);
  const auto assigned = (*made)->assign(starts);
  CHECK(assigned, "{}", assigned.error().message);
  return std::move(*made);
}

void poll_into(Consumer& consumer, std::vector<Record>& records) {
  const auto batch = consumer.poll(milliseconds(100), 100);
  ASSERT_TRUE(batch) << batch.error().message;
  for (const auto& event : *batch) {
    const auto* const message = std::get_if<Message>(&event);
    if (!message) continue;
    records.push_back({std::string(message->topic), message->partition.get(), message->offset.get(),
                       message->key.transform([](auto v) { return std::string(v); }),
                       message->value.transform([](auto v) { return std::string(v); })});
  }
}

}  // namespace searchsync::kafka
