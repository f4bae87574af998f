#include "lib/testing/mock_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <array>

#include "lib/base/check.h"
#include "lib/kafka/handle.h"

namespace searchsync::testing {
namespace {

struct DestroyCluster {
  void operator()(rd_kafka_mock_cluster_t* cluster) const {
    rd_kafka_mock_cluster_destroy(cluster);
  }
};

void expect_ok(rd_kafka_resp_err_t error) {
  CHECK(error == RD_KAFKA_RESP_ERR_NO_ERROR, "mock cluster: {}", rd_kafka_err2str(error));
}

}  // namespace

struct MockKafka::Impl {
  kafka::Handle<rd_kafka_s> client;  // whose threads the cluster runs on
  std::unique_ptr<rd_kafka_mock_cluster_t, DestroyCluster> cluster;
};

MockKafka::MockKafka(int brokers) : impl_(std::make_unique<Impl>()) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "client.id", "mock", reason.data(), reason.size());
  impl_->client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
  CHECK(impl_->client, "{}", reason.data());
  impl_->cluster.reset(rd_kafka_mock_cluster_new(impl_->client.get(), brokers));
  CHECK(impl_->cluster);
}

MockKafka::~MockKafka() = default;

kafka::ClientConfig MockKafka::config() const {
  return {.bootstrap_servers = {rd_kafka_mock_cluster_bootstraps(impl_->cluster.get())},
          .client_id = "test",
          .sasl = std::nullopt,
          .ca_pem = std::nullopt,
          .extra = {}};
}

void MockKafka::create_topic(const std::string& name, int partitions) {
  expect_ok(rd_kafka_mock_topic_create(impl_->cluster.get(), name.c_str(), partitions, 1));
}

void MockKafka::stop_broker(int broker) {
  expect_ok(rd_kafka_mock_broker_set_down(impl_->cluster.get(), broker));
}

void MockKafka::start_broker(int broker) {
  expect_ok(rd_kafka_mock_broker_set_up(impl_->cluster.get(), broker));
}

void MockKafka::set_round_trip(int broker, std::chrono::milliseconds delay) {
  expect_ok(
      rd_kafka_mock_broker_set_rtt(impl_->cluster.get(), broker, static_cast<int>(delay.count())));
}

void MockKafka::set_coordinator(const std::string& group, int broker) {
  expect_ok(rd_kafka_mock_coordinator_set(impl_->cluster.get(), "group", group.c_str(), broker));
}

void MockKafka::fail_next(Api api, const std::vector<int>& codes) {
  std::vector<rd_kafka_resp_err_t> errors;
  for (const int code : codes) errors.push_back(static_cast<rd_kafka_resp_err_t>(code));
  rd_kafka_mock_push_request_errors_array(impl_->cluster.get(), static_cast<int16_t>(api),
                                          errors.size(), errors.data());
}

}  // namespace searchsync::testing
