#include "lib/kafka/poll_batch.h"

#include <librdkafka/rdkafka.h>

#include <utility>

namespace searchsync::kafka {
namespace {

std::optional<std::string_view> view(const void* bytes, size_t size) {
  if (!bytes) return std::nullopt;
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace

std::optional<std::string_view> Message::header(const char* name) const {
  rd_kafka_headers_t* headers = nullptr;
  const void* bytes = nullptr;
  size_t size = 0;
  if (rd_kafka_message_headers(raw_, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &bytes, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  return view(bytes, size).value_or(std::string_view());
}

void Message::each_header(
    FunctionRef<void(std::string_view name, std::string_view value)> visit) const {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(raw_, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* bytes = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &bytes, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    visit(name, view(bytes, size).value_or(std::string_view()));
  }
}

PollBatch::PollBatch() = default;
PollBatch::~PollBatch() {
  release();
}

PollBatch::PollBatch(PollBatch&& other) noexcept
    : events_(std::move(other.events_)),
      raw_(std::move(other.raw_)),
      outstanding_(std::exchange(other.outstanding_, nullptr)) {
  other.events_.clear();
  other.raw_.clear();
}

PollBatch& PollBatch::operator=(PollBatch&& other) noexcept {
  if (this == &other) return *this;
  release();
  events_ = std::exchange(other.events_, {});
  raw_ = std::exchange(other.raw_, {});
  outstanding_ = std::exchange(other.outstanding_, nullptr);
  return *this;
}

void PollBatch::add_message(rd_kafka_message_s* raw, std::string_view topic) {
  raw_.push_back(raw);
  Message message;
  message.topic = topic;
  message.partition = Partition(raw->partition);
  message.offset = Offset(raw->offset);
  message.key = view(raw->key, raw->key_len);
  message.value = view(raw->payload, raw->len);
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  message.timestamp_ms = rd_kafka_message_timestamp(raw, &type);
  message.raw_ = raw;
  events_.emplace_back(message);
}

void PollBatch::add_end(rd_kafka_message_s* raw, std::string_view topic) {
  raw_.push_back(raw);
  events_.emplace_back(PartitionEnd{
      .topic = topic, .partition = Partition(raw->partition), .offset = Offset(raw->offset)});
}

void PollBatch::remove(FunctionRef<bool(std::string_view, Partition)> unwanted) {
  size_t kept = 0;
  for (size_t i = 0; i < raw_.size(); ++i) {
    if (unwanted(rd_kafka_topic_name(raw_[i]->rkt), Partition(raw_[i]->partition))) {
      rd_kafka_message_destroy(raw_[i]);
      continue;
    }
    raw_[kept] = raw_[i];
    events_[kept++] = events_[i];
  }
  raw_.resize(kept);
  events_.resize(kept);
}

void PollBatch::release() {
  events_.clear();
  for (auto* raw : raw_) rd_kafka_message_destroy(raw);
  raw_.clear();
  if (outstanding_) --*std::exchange(outstanding_, nullptr);
}

}  // namespace searchsync::kafka
