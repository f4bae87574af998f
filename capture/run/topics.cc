#include "capture/run/topics.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <variant>
#include <vector>

#include "lib/kafka/consumer.h"

namespace searchsync::capture {
namespace {

constexpr std::chrono::seconds kSilenceMax{60};
constexpr std::chrono::milliseconds kPoll{200};

}  // namespace

Result<void> ensure_compacted_topic(kafka::Admin& admin, const std::string& topic,
                                    int32_t partitions, int32_t replication_factor) {
  ASSIGN_OR_RETURN(const auto count, admin.partition_count(topic));
  if (!count) {
    const auto created =
        admin.create_topic({.name = topic,
                            .partitions = partitions,
                            .replication_factor = replication_factor,
                            .config = {{"cleanup.policy", "compact"},
                                       {"max.message.bytes", std::to_string(kRecordBytesMax)}}});
    if (created) return {};
    // Too few brokers is a state that passes, as when they have just been started.
    if (created.error().code == ErrorCode::kInvalidArgument) {
      return fail(ErrorCode::kUnavailable, created.error().message);
    }
    if (created.error().code != ErrorCode::kConflict) return created;
  }
  const std::array names = {topic};
  ASSIGN_OR_RETURN(const auto described, admin.describe_topics(names));
  const auto policy = described.at(0).config.find("cleanup.policy");
  if (policy == described.at(0).config.end() || policy->second == "compact") return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("topic {} has cleanup.policy={}, so that rows would be forgotten; run "
                          "kafka-configs.sh --alter --entity-type topics --entity-name {} "
                          "--add-config cleanup.policy=compact",
                          topic, policy->second, topic));
}

Result<void> ensure_positions_topic(kafka::Admin& admin, const std::string& topic,
                                    int32_t replication_factor) {
  ASSIGN_OR_RETURN(const auto count, admin.partition_count(topic));
  if (count) return {};
  const auto created = admin.create_topic({.name = topic,
                                           .partitions = 1,
                                           .replication_factor = replication_factor,
                                           .config = {{"cleanup.policy", "compact"},
                                                      {"segment.bytes", "16777216"},
                                                      {"min.cleanable.dirty.ratio", "0.1"}}});
  if (created || created.error().code == ErrorCode::kConflict) return {};
  if (created.error().code != ErrorCode::kInvalidArgument) return created;
  return fail(ErrorCode::kUnavailable, created.error().message);  // too few brokers, as yet
}

Result<void> read_topic(
    const kafka::ClientConfig& config, kafka::Admin& admin, const std::string& topic,
    FunctionRef<void(std::optional<std::string_view> key, std::optional<std::string_view> value)>
        visit,
    FunctionRef<Result<void>()> while_waiting) {
  std::map<Partition, Offset> ends;  // of partitions that are not read to their end yet
  std::vector<kafka::PartitionStart> starts;
  ASSIGN_OR_RETURN(const auto partitions, admin.list_offsets(topic));
  for (const kafka::PartitionOffsets& offsets : partitions) {
    if (offsets.begin >= offsets.end) continue;
    ends[offsets.partition] = offsets.end;
    starts.push_back({{topic, offsets.partition}, kafka::StartOffset::beginning()});
  }
  if (ends.empty()) return {};
  ASSIGN_OR_RETURN(const auto reader, kafka::Consumer::reader(config, {}));
  RETURN_IF_ERROR(reader->assign(starts));
  auto heard = std::chrono::steady_clock::now();
  while (!ends.empty()) {
    ASSIGN_OR_RETURN(const kafka::PollBatch batch, reader->poll(kPoll, 10'000));
    const auto now = std::chrono::steady_clock::now();
    if (!batch.empty()) heard = now;
    for (const kafka::Event& event : batch) {
      const auto* message = std::get_if<kafka::Message>(&event);
      const auto* end = std::get_if<kafka::PartitionEnd>(&event);
      const auto unread = ends.find(message != nullptr ? message->partition : end->partition);
      if (unread == ends.end()) continue;
      if (message != nullptr && message->offset < unread->second) {
        visit(message->key, message->value);
      }
      const int64_t next = message != nullptr ? message->offset.get() + 1 : end->offset.get();
      if (next >= unread->second.get()) ends.erase(unread);
    }
    RETURN_IF_ERROR(while_waiting());
    if (now - heard > kSilenceMax) {
      const auto complaint = reader->connection_error();
      return fail(ErrorCode::kTimeout,
                  fmt::format("topic {}: nothing was read for {} s{}", topic, kSilenceMax.count(),
                              complaint ? ": " + complaint->message : ""));
    }
  }
  return {};
}

TopicRecord describe_record(std::optional<std::string_view> value) {
  TopicRecord record;
  if (!value) {
    record.kind = TopicRecord::Kind::kTombstone;
    return record;
  }
  thread_local simdjson::ondemand::parser parser;
  thread_local simdjson::padded_string padded;
  padded = simdjson::padded_string(*value);
  simdjson::ondemand::document document;
  simdjson::ondemand::object source;
  std::string_view op;
  uint64_t number = 0;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return record;
  if (document["source"].get_object().get(source) == simdjson::SUCCESS) {
    if (source["lsn"].get_uint64().get(number) == simdjson::SUCCESS) record.position.lsn = number;
    if (source["epoch"].get_uint64().get(number) == simdjson::SUCCESS) {
      record.position.epoch = number;
    } else {
      record.position = {};  // another's: its places are not in our order
    }
  }
  if (document["op"].get_string().get(op) == simdjson::SUCCESS && op == "d") {
    record.kind = TopicRecord::Kind::kDelete;
  }
  return record;
}

Result<std::optional<uint64_t>> highest_epoch(const kafka::ClientConfig& config,
                                              kafka::Admin& admin, const std::string& topic,
                                              FunctionRef<Result<void>()> while_waiting) {
  std::optional<uint64_t> highest;
  RETURN_IF_ERROR(read_topic(
      config, admin, topic,
      [&](std::optional<std::string_view>, std::optional<std::string_view> value) {
        highest = std::max(highest.value_or(0), describe_record(value).position.epoch);
      },
      while_waiting));
  return highest;
}

}  // namespace searchsync::capture
