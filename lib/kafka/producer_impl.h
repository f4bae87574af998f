#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/error.h"
#include "lib/kafka/handle.h"
#include "lib/kafka/producer.h"

struct rd_kafka_message_s;

namespace searchsync::kafka {

// The state behind a Producer, and what librdkafka calls inside poll() and flush(), on their
// thread. Codes are rd_kafka_resp_err_t. Internal to this folder.
struct Producer::Impl {
  Impl(std::string brokers_in, DeliveryHandler handler_in)
      : brokers(std::move(brokers_in)), handler(std::move(handler_in)) {}

  rd_kafka_topic_s* topic(std::string_view name);
  int send_with_headers(rd_kafka_topic_s* to, Partition partition,
                        std::optional<std::string_view> key, std::optional<std::string_view> value,
                        std::span<const Header> headers, uint64_t token);
  std::optional<Error> fatal_error() const;
  Error send_error(int error, std::string_view topic_name, Partition partition);
  void on_delivery(const rd_kafka_message_s& message);

  struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  const std::string brokers;
  const DeliveryHandler handler;

  Handle<rd_kafka_s> client;
  std::unordered_map<std::string, Handle<rd_kafka_topic_s>, StringHash, std::equal_to<>> topics;
  std::optional<Error> connection_error;
  std::vector<std::string> header_names;  // reused: librdkafka wants them to end in a zero
  size_t accepted = 0;
  size_t delivered = 0;
};

}  // namespace searchsync::kafka
