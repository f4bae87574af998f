#include "operator/dlq/append.h"

#include <chrono>

#include "lib/kafka/producer.h"

namespace searchsync::dlq {
namespace {

constexpr std::chrono::seconds kDeliveryTimeout{20};
constexpr std::chrono::milliseconds kRoom{100};

}  // namespace

Result<void> append(const kafka::ClientConfig& config, const std::vector<Outgoing>& records) {
  if (records.empty()) return {};
  std::optional<Error> failed;
  ASSIGN_OR_RETURN(const auto producer,
                   kafka::Producer::create(config, {.delivery_timeout = kDeliveryTimeout},
                                           [&](const kafka::Delivery& delivery) {
                                             if (delivery.error && !failed) failed = delivery.error;
                                           }));
  for (const auto& record : records) {
    std::vector<kafka::Header> headers;
    for (const auto& [name, value] : record.headers) headers.push_back({name, value});
    while (!failed) {
      const auto sent = producer->send(record.topic, record.partition, record.key, record.value,
                                       headers, /*token=*/0);
      if (sent) break;
      if (sent.error().code != ErrorCode::kLimit) return sent;
      producer->poll(kRoom);
    }
  }
  if (!failed) RETURN_IF_ERROR(producer->flush(2 * kDeliveryTimeout));
  if (failed) return std::unexpected(*failed);
  return {};
}

}  // namespace searchsync::dlq
