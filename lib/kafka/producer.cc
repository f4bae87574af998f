#include "lib/kafka/producer.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "lib/base/check.h"
#include "lib/kafka/conf.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/producer_impl.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {
namespace {

const char* name_of(Producer::Compression compression) {
  switch (compression) {
    case Producer::Compression::kNone:
      return "none";
    case Producer::Compression::kLz4:
      return "lz4";
    case Producer::Compression::kZstd:
      return "zstd";
    case Producer::Compression::kGzip:
      return "gzip";
    case Producer::Compression::kSnappy:
      return "snappy";
  }
  return "none";
}

// librdkafka takes a null pointer for "no key" and "no value"; an empty one must not be null.
void* pointer_of(const std::optional<std::string_view>& bytes) {
  if (!bytes) return nullptr;
  return const_cast<char*>(bytes->data() ? bytes->data() : "");
}
size_t size_of(const std::optional<std::string_view>& bytes) {
  return bytes ? bytes->size() : 0;
}

void* pointer_of(uint64_t token) {
  static_assert(sizeof(void*) >= sizeof token);
  return reinterpret_cast<void*>(token);  // NOLINT: carried, never followed
}

}  // namespace

rd_kafka_topic_t* Producer::Impl::topic(std::string_view name) {
  const auto found = topics.find(name);
  if (found != topics.end()) return found->second.get();
  const std::string key(name);
  Handle<rd_kafka_topic_t> handle(rd_kafka_topic_new(client.get(), key.c_str(), nullptr));
  if (!handle) return nullptr;
  return topics.emplace(key, std::move(handle)).first->second.get();
}

int Producer::Impl::send_with_headers(rd_kafka_topic_t* to, Partition partition,
                                      std::optional<std::string_view> key,
                                      std::optional<std::string_view> value,
                                      std::span<const Header> headers, uint64_t token) {
  // Reused, so that headers cost no allocation of ours.
  thread_local std::vector<rd_kafka_vu_t> arguments;
  arguments.clear();
  const auto add = [](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    auto& argument = arguments.emplace_back();
    argument.vtype = type;
    return argument;
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = to;
  add(RD_KAFKA_VTYPE_PARTITION).u.i32 = partition.get();
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  add(RD_KAFKA_VTYPE_KEY).u.mem = {.ptr = pointer_of(key), .size = size_of(key)};
  add(RD_KAFKA_VTYPE_VALUE).u.mem = {.ptr = pointer_of(value), .size = size_of(value)};
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = pointer_of(token);
  if (header_names.size() < headers.size()) header_names.resize(headers.size());
  for (size_t i = 0; i < headers.size(); ++i) {
    header_names[i].assign(headers[i].name);
    add(RD_KAFKA_VTYPE_HEADER).u.header = {.name = header_names[i].c_str(),
                                           .val = pointer_of(headers[i].value),
                                           .size = static_cast<ssize_t>(headers[i].value.size())};
  }
  const Handle<rd_kafka_error_s> error(
      rd_kafka_produceva(client.get(), arguments.data(), arguments.size()));
  return error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::optional<Error> Producer::Impl::fatal_error() const {
  std::array<char, 512> reason{};
  const auto cause = rd_kafka_fatal_error(client.get(), reason.data(), reason.size());
  if (cause == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  // A new producer helps, unless what it asks for is refused as such.
  const ErrorCode code = code_of(cause);
  const bool refused = code == ErrorCode::kPermission || code == ErrorCode::kUnsupported;
  if (refused) return make_error(cause, "kafka producer at " + brokers, reason.data());
  return Error{ErrorCode::kFenced,
               fmt::format("kafka producer at {}: {}; build a new one and send again what failed",
                           brokers, reason.data())};
}

Error Producer::Impl::send_error(int error, std::string_view topic_name, Partition partition) {
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    return {ErrorCode::kLimit, "kafka producer: the queue is full; poll, then send again"};
  }
  if (error == RD_KAFKA_RESP_ERR__FATAL) return *fatal_error();
  const auto where = partition == kPartitionByKey
                         ? fmt::format("topic {}", topic_name)
                         : to_string(TopicPartition{std::string(topic_name), partition});
  return make_error(error, where);
}

void Producer::Impl::on_delivery(const rd_kafka_message_t& message) {
  ++delivered;
  Delivery delivery{.token = reinterpret_cast<uint64_t>(message._private),
                    .partition = Partition(message.partition),
                    .offset = Offset(message.offset),
                    .error = std::nullopt};
  if (message.err) {
    delivery.error = make_error(
        message.err,
        to_string(TopicPartition{rd_kafka_topic_name(message.rkt), Partition(message.partition)}));
  } else {
    connection_error.reset();
  }
  handler(delivery);
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Producer>> Producer::create(const ClientConfig& config,
                                                   const Options& options,
                                                   DeliveryHandler handler) {
  CHECK(handler);
  auto impl = std::make_unique<Impl>(broker_list(config), std::move(handler));
  ASSIGN_OR_RETURN(auto conf, make_conf(config));
  const auto put = [&](const char* property, const std::string& value) {
    return set(*conf, property, value);
  };
  RETURN_IF_ERROR(put("enable.idempotence", "true"));
  RETURN_IF_ERROR(put("acks", "all"));
  // A topic somebody forgot to create must not appear with the broker's defaults: compaction and
  // the number of partitions are part of what it means.
  RETURN_IF_ERROR(put("allow.auto.create.topics", "false"));
  RETURN_IF_ERROR(put("partitioner", "murmur2_random"));
  RETURN_IF_ERROR(put("compression.type", name_of(options.compression)));
  RETURN_IF_ERROR(put("linger.ms", std::to_string(options.linger.count())));
  RETURN_IF_ERROR(put("message.max.bytes", std::to_string(options.message_bytes_max)));
  RETURN_IF_ERROR(put("queue.buffering.max.kbytes", std::to_string(options.queue_bytes_max >> 10)));
  RETURN_IF_ERROR(put("queue.buffering.max.messages", std::to_string(options.queue_messages_max)));
  RETURN_IF_ERROR(put("delivery.timeout.ms", std::to_string(options.delivery_timeout.count())));
  if (!options.transactional_id.empty()) {
    RETURN_IF_ERROR(put("transactional.id", options.transactional_id));
    RETURN_IF_ERROR(
        put("transaction.timeout.ms", std::to_string(options.transaction_timeout.count())));
  }
  RETURN_IF_ERROR(set_extra(*conf, config));
  rd_kafka_conf_set_opaque(conf.get(), impl.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(),
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
                                static_cast<Impl*>(self)->on_delivery(*message);
                              });
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int code, const char* reason, void* self) {
    auto& its = *static_cast<Impl*>(self);
    its.connection_error = make_error(code, "kafka at " + its.brokers, reason);
  });
  ASSIGN_OR_RETURN(impl->client, make_client(ClientType::kProducer, std::move(conf), config));
  return std::unique_ptr<Producer>(new Producer(std::move(impl)));
}

Producer::~Producer() = default;  // topics before the client: in the reverse of their declaration

Result<void> Producer::send(std::string_view topic, Partition partition,
                            std::optional<std::string_view> key,
                            std::optional<std::string_view> value, std::span<const Header> headers,
                            uint64_t token) {
  rd_kafka_topic_t* const to = impl_->topic(topic);
  if (!to) return std::unexpected(impl_->send_error(rd_kafka_last_error(), topic, partition));
  int error = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!headers.empty()) {
    error = impl_->send_with_headers(to, partition, key, value, headers, token);
  } else if (rd_kafka_produce(to, partition.get(), RD_KAFKA_MSG_F_COPY, pointer_of(value),
                              size_of(value), pointer_of(key), size_of(key),
                              pointer_of(token)) != 0) {
    error = rd_kafka_last_error();
  }
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++impl_->accepted;
    return {};
  }
  return std::unexpected(impl_->send_error(error, topic, partition));
}

size_t Producer::poll(std::chrono::milliseconds timeout) {
  const size_t before = impl_->delivered;
  rd_kafka_poll(impl_->client.get(), static_cast<int>(timeout.count()));
  return impl_->delivered - before;
}

Result<void> Producer::flush(std::chrono::milliseconds timeout) {
  const auto error = rd_kafka_flush(impl_->client.get(), static_cast<int>(timeout.count()));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(make_error(error, fmt::format("kafka at {}: {} messages not acknowledged",
                                                       impl_->brokers, in_flight())));
}

size_t Producer::in_flight() const {
  return impl_->accepted - impl_->delivered;
}

std::optional<Error> Producer::fatal_error() const {
  return impl_->fatal_error();
}

std::optional<Error> Producer::connection_error() const {
  return impl_->connection_error;
}

}  // namespace searchsync::kafka
