#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "lib/kafka/conf.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/producer.h"

namespace searchsync::kafka {
namespace {

std::string get(const rd_kafka_conf_s& conf, const char* property) {
  std::array<char, 512> value{};
  size_t size = value.size();
  EXPECT_EQ(rd_kafka_conf_get(&conf, property, value.data(), &size), RD_KAFKA_CONF_OK);
  return value.data();
}

ClientConfig somewhere() {
  ClientConfig config;
  config.bootstrap_servers = {"a:1", "b:2"};
  return config;
}

TEST(KafkaConf, SecurityFollowsFromWhatIsGiven) {
  auto config = somewhere();
  EXPECT_EQ(get(**make_conf(config), "security.protocol"), "plaintext");
  config.ca_pem = "pem";
  EXPECT_EQ(get(**make_conf(config), "security.protocol"), "ssl");
  config.sasl = Sasl{.mechanism = "SCRAM-SHA-512", .username = "u", .password = "p"};
  EXPECT_EQ(get(**make_conf(config), "security.protocol"), "sasl_ssl");
  EXPECT_EQ(get(**make_conf(config), "sasl.mechanisms"), "SCRAM-SHA-512");
  config.ca_pem.reset();
  EXPECT_EQ(get(**make_conf(config), "security.protocol"), "sasl_plaintext");
  EXPECT_EQ(get(**make_conf(config), "bootstrap.servers"), "a:1,b:2");
}

TEST(KafkaConf, ExtraWins) {
  auto config = somewhere();
  config.extra["reconnect.backoff.max.ms"] = "7777";
  auto conf = make_conf(config);
  ASSERT_TRUE(set_extra(**conf, config));
  EXPECT_EQ(get(**conf, "reconnect.backoff.max.ms"), "7777");
}

TEST(KafkaConf, RefusalsNameThePropertyButNoSecret) {
  auto config = somewhere();
  config.extra["no.such.property"] = "x";
  const auto unknown = Producer::create(config, {}, [](const Delivery&) {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unknown.error().message.find("no.such.property"), std::string::npos);

  config = somewhere();
  config.ca_pem = "hunter2";
  config.sasl = Sasl{.mechanism = "PLAIN", .username = "u", .password = "hunter2"};
  const auto secret = Consumer::reader(config, {});
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().message.find("hunter2"), std::string::npos) << secret.error().message;

  const auto nowhere = Consumer::reader(ClientConfig{}, {});
  EXPECT_EQ(nowhere.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace searchsync::kafka
