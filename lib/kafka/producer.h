#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/client.h"
#include "lib/kafka/handle.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {

struct Header {
  std::string_view name;
  std::string_view value;
};

// What became of one message that send() accepted.
struct Delivery {
  uint64_t token;  // as given to send()
  Partition partition;
  Offset offset;               // where it is in the log; means nothing if there is an error
  std::optional<Error> error;  // kTimeout: it may be in the log all the same
};

// Lets the key choose the partition: murmur2, as the Java clients (so also Debezium) do it.
// Messages without a key are spread at random.
inline constexpr Partition kPartitionByKey{-1};

// Appends to topics, idempotently: acknowledged by all in-sync replicas, in the order of send() for
// each partition, without duplicates as long as this Producer lives.
//
// Every message accepted by send() gets exactly one Delivery, unless the Producer is destroyed
// first: then what is still queued is dropped silently. flush() first if that matters.
//
// Not thread-safe: one thread owns a Producer. The handler is called on that thread, inside poll()
// and flush() only, and may call send().
class Producer {
 public:
  enum class Compression { kNone, kLz4, kZstd, kGzip, kSnappy };

  struct Options {
    // How long a message may wait for company. Larger batches, later arrival.
    std::chrono::milliseconds linger{2};
    size_t queue_bytes_max = 32 << 20;  // of keys and values not yet acknowledged; at least 1 KiB
    size_t queue_messages_max = 200'000;
    size_t message_bytes_max = 8 << 20;  // a broker's own limit is 1 MiB by default
    Compression compression = Compression::kLz4;
    // After this long without an acknowledgement a message fails with kTimeout.
    std::chrono::milliseconds delivery_timeout{120'000};
    // Given: it writes in transactions only. Of two producers of one id the later one fences the
    // other, and ends what it has left open.
    std::string transactional_id = "";
    // After which the broker aborts one that is not ended. At least delivery_timeout.
    std::chrono::milliseconds transaction_timeout{120'000};
  };

  using DeliveryHandler = std::function<void(const Delivery&)>;

  // Connects to nothing yet. Errors: kInvalidArgument for a configuration librdkafka refuses.
  static Result<std::unique_ptr<Producer>> create(const ClientConfig& config,
                                                  const Options& options, DeliveryHandler handler);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Queues a message, copying all of it. Never blocks. A `value` of nullopt is a tombstone.
  //
  // Errors: kLimit when the queue is full (poll() until deliveries made room, then try again);
  // kInvalidArgument if the message is larger than message_bytes_max; kNotFound if the topic or
  // partition is known not to exist; after a fatal error that one. After an error there is no
  // Delivery.
  Result<void> send(std::string_view topic, Partition partition,
                    std::optional<std::string_view> key, std::optional<std::string_view> value,
                    std::span<const Header> headers, uint64_t token);

  // Waits up to `timeout` for deliveries and hands over all there are. Returns how many.
  size_t poll(std::chrono::milliseconds timeout);

  // Sends what lingers and waits until nothing is in flight. Errors: kTimeout.
  Result<void> flush(std::chrono::milliseconds timeout);

  // Transactions, with Options::transactional_id. initialize_transactions() comes first, once: it
  // waits until whatever an earlier producer of the id has begun is ended. Then send() is for use
  // between begin_transaction() and one of the other two, which hand over deliveries as flush()
  // does.
  //
  // Errors: kTimeout, kUnavailable, kPermission, kFenced, kUnsupported.
  Result<void> initialize_transactions(std::chrono::milliseconds timeout);
  Result<void> begin_transaction();
  // Commits what was sent, and these offsets of the group as of group_metadata(), or neither.
  //
  // Errors: kFenced: nobody knows whether it was committed, until a new Producer of the same id is
  // initialized. Any other: nothing of it was, and another may begin. That the group has given
  // a partition to another member is one of those.
  Result<void> commit_transaction(std::span<const TopicOffset> offsets, const GroupMetadata& group);
  // Errors: kFenced: build a new Producer.
  Result<void> abort_transaction();

  // Messages accepted whose Delivery has not been handed over yet.
  size_t in_flight() const;

  // Set once the idempotent producer lost its place (out of sequence, fenced): nothing more will be
  // sent, what is queued fails. kFenced: the caller builds a new Producer and sends again what
  // failed. kPermission or kUnsupported: the cluster refuses idempotent producers as such.
  std::optional<Error> fatal_error() const;

  // The newest complaint about the connection (no broker reachable, credentials refused), until
  // the next message is delivered. librdkafka keeps trying by itself.
  std::optional<Error> connection_error() const;

 private:
  struct Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kafka
