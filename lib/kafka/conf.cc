#include "lib/kafka/conf.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "lib/base/log.h"

namespace searchsync::kafka {
namespace {

constexpr int kDebugLevel = 7;

// librdkafka's levels are those of syslog. Called on its own threads.
void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  // A failed connection comes as an error too, which whoever polls the client reports once.
  if (std::string_view(facility) == "FAIL") level = kDebugLevel;
  if (level <= 4) {
    log::warning("kafka client {}: {}: {}", rd_kafka_name(client), facility, text);
  } else if (level <= 6) {
    log::info("kafka client {}: {}: {}", rd_kafka_name(client), facility, text);
  } else {
    log::debug("kafka client {}: {}: {}", rd_kafka_name(client), facility, text);
  }
}

bool may_be_secret(std::string_view property) {
  constexpr std::array<std::string_view, 5> kParts{"password", "secret", "pem", "key", "oauth"};
  return std::ranges::any_of(kParts, [&](auto part) { return property.contains(part); });
}

const char* security_protocol(const ClientConfig& config) {
  if (config.sasl) return config.ca_pem ? "sasl_ssl" : "sasl_plaintext";
  return config.ca_pem ? "ssl" : "plaintext";
}

}  // namespace

std::string broker_list(const ClientConfig& config) {
  return fmt::format("{}", fmt::join(config.bootstrap_servers, ","));
}

Result<void> set(rd_kafka_conf_s& conf, const std::string& property, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(&conf, property.c_str(), value.c_str(), reason.data(), reason.size()) ==
      RD_KAFKA_CONF_OK) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("kafka property {}: {}; correct it", property,
                          may_be_secret(property) ? "refused" : reason.data()));
}

Result<void> set_extra(rd_kafka_conf_s& conf, const ClientConfig& config) {
  for (const auto& [property, value] : config.extra) RETURN_IF_ERROR(set(conf, property, value));
  return {};
}

Result<Handle<rd_kafka_conf_s>> make_conf(const ClientConfig& config) {
  if (config.bootstrap_servers.empty()) {
    return fail(ErrorCode::kInvalidArgument, "kafka: no bootstrap servers; name at least one");
  }
  Handle<rd_kafka_conf_s> conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  const auto put = [&](const char* property, const std::string& value) {
    return set(*conf, property, value);
  };
  RETURN_IF_ERROR(put("bootstrap.servers", broker_list(config)));
  RETURN_IF_ERROR(put("client.id", config.client_id));
  RETURN_IF_ERROR(put("socket.nagle.disable", "true"));
  // A broker that restarts is back in seconds, and is noticed soon after.
  RETURN_IF_ERROR(put("reconnect.backoff.max.ms", "2000"));
  // New partitions and new topics of a subscription are noticed within this time.
  RETURN_IF_ERROR(put("topic.metadata.refresh.interval.ms", "30000"));
  RETURN_IF_ERROR(put("security.protocol", security_protocol(config)));
  if (config.ca_pem) RETURN_IF_ERROR(put("ssl.ca.pem", *config.ca_pem));
  if (config.sasl) {
    RETURN_IF_ERROR(put("sasl.mechanism", config.sasl->mechanism));
    RETURN_IF_ERROR(put("sasl.username", config.sasl->username));
    RETURN_IF_ERROR(put("sasl.password", config.sasl->password));
  }
  return conf;
}

Result<Handle<rd_kafka_s>> make_client(ClientType type, Handle<rd_kafka_conf_s> conf,
                                       const ClientConfig& config) {
  std::array<char, 512> reason{};
  Handle<rd_kafka_s> client(
      rd_kafka_new(type == ClientType::kProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                   conf.get(), reason.data(), reason.size()));
  if (!client) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("kafka client for {}: {}; correct its configuration",
                            broker_list(config), reason.data()));
  }
  (void)conf.release();  // the client owns it now
  return client;
}

}  // namespace searchsync::kafka
