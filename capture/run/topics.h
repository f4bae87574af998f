#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "capture/core/live_keys.h"
#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"

namespace searchsync::capture {

inline constexpr size_t kRecordBytesMax = 64u << 20;

// Makes the topic, compacted, if there is none. Errors: kUnsupported, with the remedy, if there is
// one that is not compacted: it would forget rows.
Result<void> ensure_compacted_topic(kafka::Admin& admin, const std::string& topic,
                                    int32_t partitions, int32_t replication_factor);

// Makes the topic of positions, if there is none: only its newest record counts.
Result<void> ensure_positions_topic(kafka::Admin& admin, const std::string& topic,
                                    int32_t replication_factor);

// Reads a topic from its beginning to the end it has at the call; records of one partition in their
// order. `while_waiting` is called now and then.
// Errors: those of Kafka, of the callbacks; kTimeout if nothing comes for a minute.
Result<void> read_topic(
    const kafka::ClientConfig& config, kafka::Admin& admin, const std::string& topic,
    FunctionRef<void(std::optional<std::string_view> key, std::optional<std::string_view> value)>
        visit,
    FunctionRef<Result<void>()> while_waiting);

// What a record's value says.
TopicRecord describe_record(std::optional<std::string_view> value);

// The highest epoch in a topic, 0 if no record has one; nullopt: it is empty.
Result<std::optional<uint64_t>> highest_epoch(const kafka::ClientConfig& config,
                                              kafka::Admin& admin, const std::string& topic,
                                              FunctionRef<Result<void>()> while_waiting);

}  // namespace searchsync::capture
