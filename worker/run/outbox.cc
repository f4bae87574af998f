#include "worker/run/outbox.h"

#include <span>

namespace searchsync::worker {

Result<std::unique_ptr<Outbox>> Outbox::create(const kafka::ClientConfig& config,
                                               Delivered delivered) {
  std::unique_ptr<Outbox> outbox(new Outbox(std::move(delivered)));
  ASSIGN_OR_RETURN(outbox->producer_,
                   kafka::Producer::create(config, {.linger = std::chrono::milliseconds(1)},
                                           [raw = outbox.get()](const kafka::Delivery& delivery) {
                                             raw->on_delivery(delivery);
                                           }));
  return outbox;
}

uint64_t Outbox::keep(Owner owner) {
  if (free_.empty()) {
    owners_.push_back(owner);
    return owners_.size() - 1;
  }
  const uint64_t token = free_.back();
  free_.pop_back();
  owners_[token] = owner;
  return token;
}

void Outbox::send(std::string_view topic, Partition partition, std::optional<std::string_view> key,
                  std::optional<std::string_view> value, std::span<const kafka::Header> headers,
                  Owner owner) {
  const uint64_t token = keep(owner);
  if (waiting_.empty()) {
    const auto sent = producer_->send(topic, partition, key, value, headers, token);
    if (sent) return;
    if (sent.error().code != ErrorCode::kLimit) {
      if (!failure_) failure_ = sent.error();
      return;
    }
  }
  Waiting waiting{.topic = std::string(topic), .partition = partition, .token = token};
  if (key) waiting.key = *key;
  if (value) waiting.value = *value;
  for (const auto& [name, text] : headers) waiting.headers.emplace_back(name, text);
  waiting_.push_back(std::move(waiting));
}

Result<void> Outbox::poll(std::chrono::milliseconds timeout) {
  producer_->poll(timeout);
  while (!waiting_.empty() && !failure_) {
    const Waiting& next = waiting_.front();
    std::vector<kafka::Header> headers;
    for (const auto& [name, value] : next.headers) headers.push_back({name, value});
    const auto sent =
        producer_->send(next.topic, next.partition, next.key, next.value, headers, next.token);
    if (!sent && sent.error().code == ErrorCode::kLimit) break;
    if (!sent) failure_ = sent.error();
    waiting_.pop_front();
  }
  if (failure_) return std::unexpected(*failure_);
  if (auto fatal = producer_->fatal_error()) return std::unexpected(*fatal);
  return {};
}

void Outbox::on_delivery(const kafka::Delivery& delivery) {
  const Owner owner = owners_[delivery.token];
  free_.push_back(delivery.token);
  if (delivery.error) {
    if (!failure_) failure_ = *delivery.error;
    return;
  }
  delivered_(owner);
}

}  // namespace searchsync::worker
