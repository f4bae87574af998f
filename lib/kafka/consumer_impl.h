#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/kafka/assignment.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/handle.h"
#include "lib/kafka/partition_list.h"

namespace searchsync::kafka {

// The state behind a Consumer, and what librdkafka calls inside poll() and close(), on their
// thread. Codes are rd_kafka_resp_err_t. Internal to this folder.
struct Consumer::Impl {
  Impl(std::string brokers_in, std::string group_in, GroupListener* listener_in)
      : brokers(std::move(brokers_in)), group(std::move(group_in)), listener(listener_in) {}

  void on_rebalance(int kind, rd_kafka_topic_partition_list_s& list);
  Result<void> sent(int code, const std::string& context);  // a commit was, or was refused
  void on_client_error(int code, std::string_view reason);
  void on_commit(int code, const rd_kafka_topic_partition_list_s* list);

  // Puts what librdkafka handed out into the batch, or drops it if it is stale. Takes ownership.
  void on_message(rd_kafka_message_s* message, PollBatch& batch);
  void on_consumer_error(const rd_kafka_message_s& message, const char* topic);
  // Something that is before where we are: stale, unless the log itself has become shorter.
  void look_back(const rd_kafka_message_s& message, const char* topic);

  void take(const std::vector<TopicPartition>& partitions, rd_kafka_topic_partition_list_s& list);
  void give_up(const std::vector<TopicPartition>& partitions);

  // Replaces, of the partitions in `list`, a start at what the group has committed by the offset.
  void find_committed(std::span<const TopicPartition> partitions,
                      rd_kafka_topic_partition_list_s& list);

  // librdkafka stops fetching when its queue is full (100,000 messages or queue_bytes_max), and
  // then looks again only once a second, however soon the queue is empty. This makes it look: a
  // request to the leaders wakes the threads that fetch. Called after each poll that delivered
  // something.
  // Source: fetch.queue.backoff.ms, which librdkafka 2.2 has for this and 2.0.2 has not.
  void keep_fetching(const PollBatch& batch);

  Result<std::vector<std::optional<Offset>>> committed(std::span<const TopicPartition> partitions,
                                                       std::chrono::milliseconds timeout) const;

  // Of `partitions` those that are ours and not paused.
  Result<void> pause(std::span<const TopicPartition> partitions);
  // Of `partitions` those that are paused, be they ours or not: librdkafka remembers it beyond
  // their loss.
  Result<void> resume(std::span<const TopicPartition> partitions);

  const std::string brokers;
  const std::string group;
  GroupListener* const listener;  // null: a reader without a group
  int64_t no_offset = 0;          // where to start if nothing is committed, as librdkafka has it

  Handle<rd_kafka_s> client;
  Handle<rd_kafka_queue_s> queue;  // of what has been fetched
  size_t queue_bytes_max = 0;
  size_t queued_most = 0;    // messages in the queue at its fullest since the last wake-up
  size_t average_bytes = 0;  // of a message, lately
  Assignment assignment;
  std::set<TopicPartition> paused;                     // by us, be they ours now or not
  std::map<TopicPartition, Offset> looked_back;        // and nothing was lost before it
  PollBatch* polling = nullptr;                        // the batch that poll() is filling
  size_t outstanding = 0;                              // batches alive
  size_t commits = 0;                                  // whose answer is still to come
  std::chrono::steady_clock::time_point committed_at;  // when the last was sent
  bool closed = false;
  std::optional<Error> pending_error;  // for the next poll() that has nothing else to say
  std::optional<Error> connection_error;
  // The length of the last message's topic name, which librdkafka has as a C string.
  const rd_kafka_topic_s* last_topic = nullptr;
  size_t last_topic_size = 0;
};

// Where librdkafka is to start, and before which offset nothing may come.
int64_t to_raw(StartOffset start);
Offset floor_of(StartOffset start);

// The first error that a broker gave for one of the partitions.
Result<void> first_error(const rd_kafka_topic_partition_list_s& list, std::string_view doing);

}  // namespace searchsync::kafka
