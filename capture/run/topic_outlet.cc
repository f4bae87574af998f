#include "capture/run/topic_outlet.h"

#include <fmt/core.h>

#include <algorithm>

#include "capture/run/topics.h"
#include "lib/base/check.h"

namespace searchsync::capture {
namespace {

constexpr std::chrono::milliseconds kWait{20};
// Of a record: the table, in front of the engine's own token.
constexpr int kTokenBits = 40;
constexpr uint64_t kTokensMax = uint64_t{1} << kTokenBits;
constexpr uint64_t kTablesMax = (uint64_t{1} << (64 - kTokenBits)) - 1;
constexpr uint64_t kStateToken = ~uint64_t{0};
constexpr uint64_t kPositionToken = kStateToken - 1;

}  // namespace

Result<std::unique_ptr<TopicOutlet>> TopicOutlet::create(Options options, kafka::Admin& admin) {
  std::unique_ptr<TopicOutlet> outlet(new TopicOutlet(std::move(options), admin));
  const kafka::Producer::Options producer{.linger = outlet->options_.linger,
                                          .queue_bytes_max = outlet->options_.queue_bytes_max,
                                          .message_bytes_max = kRecordBytesMax};
  ASSIGN_OR_RETURN(outlet->producer_,
                   kafka::Producer::create(outlet->options_.kafka, producer,
                                           [raw = outlet.get()](const kafka::Delivery& delivery) {
                                             raw->delivered(delivery);
                                           }));
  return outlet;
}

void TopicOutlet::delivered(const kafka::Delivery& delivery) {
  if (delivery.token == kPositionToken) {
    position_lost_ = position_lost_ || delivery.error.has_value();
  } else if (delivery.error) {
    if (!lost_) lost_ = delivery.error;
  } else if (delivery.token == kStateToken) {
    ++states_saved_;
  } else {
    acknowledged_.push_back(delivery.token % kTokensMax);
    auto& ends = ends_[delivery.token / kTokensMax];
    const auto partition = static_cast<size_t>(delivery.partition.get());
    if (partition >= ends.size()) ends.resize(partition + 1);
    ends[partition] = std::max(ends[partition], delivery.offset.get() + 1);
  }
}

Result<void> TopicOutlet::send(const std::string& topic, std::string_view key,
                               std::optional<std::string_view> value, uint64_t token) {
  while (true) {
    auto sent = producer_->send(topic, kafka::kPartitionByKey, key, value, {}, token);
    if (sent) {
      bytes_sent_ += key.size() + (value ? value->size() : 0);
      return sent;
    }
    if (sent.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kUnavailable, sent.error().message);  // made again by the next session
    }
    if (sent.error().code != ErrorCode::kLimit) return fail(sent.error(), "topic " + topic);
    producer_->poll(kWait);
    if (lost_) return std::unexpected(*lost_);
    RETURN_IF_ERROR(waiting_());
  }
}

Result<void> TopicOutlet::append(size_t table, std::string_view key,
                                 std::optional<std::string_view> value, uint64_t token) {
  CHECK(token < kTokensMax && table < kTablesMax);
  return send(options_.topics[table], key, value, table * kTokensMax + token);
}

Result<void> TopicOutlet::read_ends() {
  ends_.clear();
  for (const std::string& topic : options_.topics) {
    ASSIGN_OR_RETURN(const auto partitions, admin_.list_offsets(topic));
    auto& ends = ends_.emplace_back();
    for (const kafka::PartitionOffsets& partition : partitions) ends.push_back(partition.end.get());
  }
  return {};
}

Result<void> TopicOutlet::publish_position(std::string_view key, std::string_view json) {
  return send(options_.positions_topic, key, json, kPositionToken);
}

Result<void> TopicOutlet::save_state(std::string_view key, std::string_view json) {
  RETURN_IF_ERROR(send(options_.state_topic, key, json, kStateToken));
  ++states_sent_;
  return {};
}

// Acknowledgements are handed over here only, never inside append(): the engine is in the middle of
// something then.
Result<void> TopicOutlet::poll(std::chrono::milliseconds timeout) {
  producer_->poll(timeout);
  for (const uint64_t token : acknowledged_) handler_(token);
  acknowledged_.clear();
  if (lost_) return std::unexpected(*lost_);
  return {};
}

Result<void> TopicOutlet::flush() {
  while (producer_->in_flight() > 0) {
    (void)producer_->flush(std::chrono::milliseconds(100));  // a timeout: waits on, below
    if (lost_) return std::unexpected(*lost_);
    RETURN_IF_ERROR(waiting_());
  }
  return {};
}

Result<void> TopicOutlet::each_live_key(size_t table, Position below,
                                        FunctionRef<Result<void>(std::string_view key)> visit) {
  RETURN_IF_ERROR(flush());
  LiveKeys keys(options_.slice_bytes_max);
  do {
    RETURN_IF_ERROR(read_topic(
        options_.kafka, admin_, options_.topics[table],
        [&](std::optional<std::string_view> key, std::optional<std::string_view> value) {
          if (key) keys.add(*key, describe_record(value));
        },
        [&] { return waiting_(); }));
    RETURN_IF_ERROR(keys.each(below, visit));
  } while (keys.next_slice());
  return {};
}

}  // namespace searchsync::capture
