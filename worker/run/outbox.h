#pragma once

// Records on their way into Kafka: kept here while the producer's queue is full, in order.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/producer.h"

namespace searchsync::worker {

// Whose work a record is: an assignment of a partition to this worker, and a batch of it.
struct Owner {
  uint64_t assignment = 0;
  uint64_t batch = 0;
};

class Outbox {
 public:
  using Delivered = std::function<void(const Owner&)>;

  static Result<std::unique_ptr<Outbox>> create(const kafka::ClientConfig& config,
                                                Delivered delivered);

  // Takes a record, and copies what the producer cannot take at once.
  void send(std::string_view topic, Partition partition, std::optional<std::string_view> key,
            std::optional<std::string_view> value, std::span<const kafka::Header> headers,
            Owner owner);
  // Hands over what was delivered, and goes on sending. Errors: a record was not delivered; the
  // outbox is then of no more use: its owner starts over from what was committed.
  Result<void> poll(std::chrono::milliseconds timeout);
  // True if records wait here: stop producing them.
  bool full() const { return !waiting_.empty(); }
  bool idle() const { return waiting_.empty() && producer_->in_flight() == 0; }
  std::optional<Error> trouble() const { return producer_->connection_error(); }

 private:
  struct Waiting {
    std::string topic;
    Partition partition;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::string>> headers;
    uint64_t token = 0;
  };

  explicit Outbox(Delivered delivered) : delivered_(std::move(delivered)) {}
  void on_delivery(const kafka::Delivery& delivery);
  uint64_t keep(Owner owner);

  const Delivered delivered_;
  std::unique_ptr<kafka::Producer> producer_;
  std::deque<Waiting> waiting_;
  std::vector<Owner> owners_;   // by token
  std::vector<uint64_t> free_;  // tokens
  std::optional<Error> failure_;
};

}  // namespace searchsync::worker
