#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/kafka/client.h"
#include "lib/kafka/handle.h"

namespace searchsync::kafka {

// Building of librdkafka's configuration and clients. Internal to this folder.

// The group of clients that need one and join none; nothing is ever committed to it.
inline constexpr const char* kReaderGroup = "searchsync.reader";

enum class ClientType { kProducer, kConsumer };

// The properties all clients share, and our log as the place for librdkafka's lines.
Result<Handle<rd_kafka_conf_s>> make_conf(const ClientConfig& config);

// Errors: kInvalidArgument naming the property; never the value of one that may be secret.
Result<void> set(rd_kafka_conf_s& conf, const std::string& property, const std::string& value);

// config.extra, which is applied last.
Result<void> set_extra(rd_kafka_conf_s& conf, const ClientConfig& config);

Result<Handle<rd_kafka_s>> make_client(ClientType type, Handle<rd_kafka_conf_s> conf,
                                       const ClientConfig& config);

}  // namespace searchsync::kafka
