#include "lib/kafka/consumer.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/kafka/conf.h"
#include "lib/kafka/consumer_impl.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partition_list.h"

namespace searchsync::kafka {
namespace {

// Where to start if nothing is committed: as a property, and as an offset.
struct Reset {
  const char* policy;
  int64_t start;
};

Reset reset_of(Consumer::NoOffset no_offset) {
  switch (no_offset) {
    case Consumer::NoOffset::kBeginning:
      return {"earliest", RD_KAFKA_OFFSET_BEGINNING};
    case Consumer::NoOffset::kEnd:
      return {"latest", RD_KAFKA_OFFSET_END};
    case Consumer::NoOffset::kFail:
      return {"error", RD_KAFKA_OFFSET_STORED};
  }
  return {"error", RD_KAFKA_OFFSET_STORED};
}

Result<Handle<rd_kafka_conf_t>> consumer_conf(const ClientConfig& config, const std::string& group,
                                              const Consumer::Options& options) {
  ASSIGN_OR_RETURN(auto conf, make_conf(config));
  const auto put = [&](const char* property, const std::string& value) {
    return set(*conf, property, value);
  };
  const auto heartbeat = std::min<int64_t>(3000, options.session_timeout.count() / 6);
  const auto session = std::to_string(options.session_timeout.count());
  RETURN_IF_ERROR(put("group.id", group));
  RETURN_IF_ERROR(put("partition.assignment.strategy", "cooperative-sticky"));
  RETURN_IF_ERROR(put("enable.auto.commit", "false"));
  RETURN_IF_ERROR(put("enable.auto.offset.store", "false"));
  RETURN_IF_ERROR(put("isolation.level", "read_committed"));
  RETURN_IF_ERROR(put("enable.partition.eof", "true"));
  RETURN_IF_ERROR(put("auto.offset.reset", reset_of(options.no_offset).policy));
  RETURN_IF_ERROR(put("session.timeout.ms", session));
  RETURN_IF_ERROR(put("heartbeat.interval.ms", std::to_string(heartbeat)));
  // librdkafka takes no session that is longer.
  const auto poll_interval = std::max(options.max_poll_interval, options.session_timeout);
  RETURN_IF_ERROR(put("max.poll.interval.ms", std::to_string(poll_interval.count())));
  RETURN_IF_ERROR(put("fetch.min.bytes", "1"));
  RETURN_IF_ERROR(put("fetch.wait.max.ms", std::to_string(options.fetch_wait_max.count())));
  RETURN_IF_ERROR(put("fetch.max.bytes", std::to_string(options.fetch_bytes_max)));
  RETURN_IF_ERROR(
      put("max.partition.fetch.bytes", std::to_string(options.partition_fetch_bytes_max)));
  RETURN_IF_ERROR(put("queued.max.messages.kbytes", std::to_string(options.queue_bytes_max >> 10)));
  // A partition whose fetch failed (its leader moved) is tried again after this, not after 500 ms.
  RETURN_IF_ERROR(put("fetch.error.backoff.ms", "100"));
  RETURN_IF_ERROR(set_extra(*conf, config));
  return conf;
}

int to_timeout(std::chrono::milliseconds timeout) {
  return static_cast<int>(timeout.count());
}

}  // namespace

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Consumer::~Consumer() {
  close();
  CHECK(impl_->outstanding == 0, "{} batches outlive their consumer", impl_->outstanding);
}

Result<std::unique_ptr<Consumer>> Consumer::create(const ClientConfig& config, std::string group,
                                                   const Options& options,
                                                   GroupListener* listener) {
  auto impl = std::make_unique<Impl>(broker_list(config), std::move(group), listener);
  ASSIGN_OR_RETURN(auto conf, consumer_conf(config, impl->group, options));
  rd_kafka_conf_set_opaque(conf.get(), impl.get());
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t kind, rd_kafka_topic_partition_list_t* list,
                     void* self) { static_cast<Impl*>(self)->on_rebalance(kind, *list); });
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int code, const char* reason, void* self) {
    static_cast<Impl*>(self)->on_client_error(code, reason);
  });
  rd_kafka_conf_set_offset_commit_cb(
      conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                     void* self) { static_cast<Impl*>(self)->on_commit(code, list); });
  ASSIGN_OR_RETURN(impl->client, make_client(ClientType::kConsumer, std::move(conf), config));
  // Errors and commit results come through the consumer's own queue: one poll serves all.
  rd_kafka_poll_set_consumer(impl->client.get());
  impl->queue.reset(rd_kafka_queue_get_consumer(impl->client.get()));
  impl->queue_bytes_max = options.queue_bytes_max;
  impl->no_offset = reset_of(options.no_offset).start;
  return std::unique_ptr<Consumer>(new Consumer(std::move(impl)));
}

Result<std::unique_ptr<Consumer>> Consumer::join(const ClientConfig& config, std::string group,
                                                 const Options& options, GroupListener& listener) {
  if (group.empty()) {
    return fail(ErrorCode::kInvalidArgument, "kafka: a consumer group needs a name");
  }
  return create(config, std::move(group), options, &listener);
}

Result<std::unique_ptr<Consumer>> Consumer::reader(const ClientConfig& config,
                                                   const Options& options) {
  // librdkafka assigns partitions only to consumers with a group; this one is never joined and
  // never committed to.
  return create(config, kReaderGroup, options, nullptr);
}

Result<void> Consumer::subscribe(const std::vector<std::string>& topics) {
  CHECK(impl_->listener, "a reader has no group to subscribe in");
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const auto& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const auto error = rd_kafka_subscribe(impl_->client.get(), list.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(make_error(error, "kafka group " + impl_->group + ": subscribe"));
}

Result<void> Consumer::assign(std::span<const PartitionStart> partitions) {
  CHECK(!impl_->listener, "a group decides what its members read");
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& [partition, start] : partitions) {
    if (start.kind == StartOffset::Kind::kCommitted) {
      return fail(ErrorCode::kInvalidArgument,
                  to_string(partition) + ": a reader has no group; choose where to start");
    }
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(),
                                      partition.partition.get())
        ->offset = to_raw(start);
  }
  RETURN_IF_ERROR(impl_->resume(from_list(*list)));
  const auto error = rd_kafka_assign(impl_->client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, "assign"));
  impl_->assignment.clear();
  for (const auto& [partition, start] : partitions) {
    impl_->assignment.add(partition, floor_of(start));
  }
  return {};
}

Result<PollBatch> Consumer::poll(std::chrono::milliseconds timeout, size_t events_max) {
  CHECK(events_max > 0 && !impl_->closed);
  PollBatch batch;
  batch.outstanding_ = &impl_->outstanding;
  ++impl_->outstanding;
  if (!impl_->pending_error) {
    impl_->polling = &batch;
    int wait = to_timeout(timeout);
    while (auto* message = rd_kafka_consumer_poll(impl_->client.get(), wait)) {
      impl_->on_message(message, batch);
      if (batch.size() >= events_max || impl_->pending_error) break;
      wait = 0;
    }
    impl_->polling = nullptr;
    if (!batch.empty()) {
      impl_->connection_error.reset();
      impl_->keep_fetching(batch);
    }
  }
  // What came before an error is delivered before it.
  if (impl_->pending_error && batch.empty()) {
    return std::unexpected(*std::exchange(impl_->pending_error, std::nullopt));
  }
  return batch;
}

Result<void> Consumer::commit(std::span<const TopicOffset> offsets, CommitMode mode,
                              std::chrono::milliseconds timeout) {
  if (!impl_->listener) return fail(ErrorCode::kInvalidArgument, "kafka: a reader cannot commit");
  for (const auto& each : offsets) {
    // The broker would take it from any member, and so take back what the new owner committed.
    if (const TopicPartition partition{each.topic, each.partition};
        !impl_->assignment.contains(partition)) {
      return fail(ErrorCode::kFenced,
                  fmt::format("commit of {}: it is not assigned to this member of group {}; drop "
                              "what is under way for it",
                              to_string(partition), impl_->group));
    }
  }
  if (offsets.empty()) return {};
  const auto list = to_list(offsets);
  const std::string context = "kafka group " + impl_->group + ": commit";
  if (mode == CommitMode::kAsync) {
    return impl_->sent(rd_kafka_commit(impl_->client.get(), list.get(), 1), context);
  }
  const Handle<rd_kafka_queue_s> answers(rd_kafka_queue_new(impl_->client.get()));
  RETURN_IF_ERROR(impl_->sent(
      rd_kafka_commit_queue(impl_->client.get(), list.get(), answers.get(), nullptr, nullptr),
      context));
  const Handle<rd_kafka_event_t> answer(rd_kafka_queue_poll(answers.get(), to_timeout(timeout)));
  if (!answer) return std::unexpected(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, context));
  const auto error = rd_kafka_event_error(answer.get());
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET) return {};
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, context));
  const auto* const each = rd_kafka_event_topic_partition_list(answer.get());
  return each ? first_error(*each, "commit of") : Result<void>{};
}

bool Consumer::committing() const {
  return impl_->commits > 0 &&
         std::chrono::steady_clock::now() < impl_->committed_at + std::chrono::seconds(1);
}

Result<std::vector<std::optional<Offset>>> Consumer::committed(
    std::span<const TopicPartition> partitions, std::chrono::milliseconds timeout) {
  if (!impl_->listener) return fail(ErrorCode::kInvalidArgument, "kafka: a reader has no group");
  return impl_->committed(partitions, timeout);
}

Result<Watermarks> Consumer::watermarks(const TopicPartition& partition,
                                        std::chrono::milliseconds timeout) {
  int64_t low = 0;
  int64_t high = 0;
  const auto error =
      rd_kafka_query_watermark_offsets(impl_->client.get(), partition.topic.c_str(),
                                       partition.partition.get(), &low, &high, to_timeout(timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(make_error(error, "watermarks of " + to_string(partition)));
  }
  return Watermarks{.low = Offset(low), .high = Offset(high)};
}

Result<std::optional<Offset>> Consumer::offset_at(const TopicPartition& partition, int64_t time_ms,
                                                  std::chrono::milliseconds timeout) {
  const TopicOffset wanted{partition.topic, partition.partition, Offset(time_ms)};
  const auto list = to_list(std::span(&wanted, 1));
  const auto error =
      rd_kafka_offsets_for_times(impl_->client.get(), list.get(), to_timeout(timeout));
  const auto context = "offset by time of " + to_string(partition);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, context));
  RETURN_IF_ERROR(first_error(*list, "offset by time of"));
  const int64_t offset = list->elems[0].offset;
  return offset >= 0 ? std::optional(Offset(offset)) : std::nullopt;
}

GroupMetadata Consumer::group_metadata() const {
  CHECK(impl_->listener, "a reader is in no group");
  return GroupMetadata(rd_kafka_consumer_group_metadata(impl_->client.get()));
}

std::optional<Offset> Consumer::fetched_end(const TopicPartition& partition) const {
  int64_t low = 0;
  int64_t high = 0;
  const auto error = rd_kafka_get_watermark_offsets(impl_->client.get(), partition.topic.c_str(),
                                                    partition.partition.get(), &low, &high);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) return std::nullopt;
  return Offset(high);
}

Result<void> Consumer::pause(std::span<const TopicPartition> partitions) {
  return impl_->pause(partitions);
}

Result<void> Consumer::resume(std::span<const TopicPartition> partitions) {
  return impl_->resume(partitions);
}

Result<void> Consumer::seek(const TopicOffset& to, std::chrono::milliseconds timeout) {
  const TopicPartition partition{to.topic, to.partition};
  if (!impl_->assignment.move(partition, to.offset)) {
    return fail(ErrorCode::kNotFound, "seek of " + to_string(partition) + ": it is not assigned");
  }
  const auto list = to_list(std::span(&to, 1));
  const Handle<rd_kafka_error_s> error(
      rd_kafka_seek_partitions(impl_->client.get(), list.get(), to_timeout(timeout)));
  if (error) {
    return std::unexpected(make_error(rd_kafka_error_code(error.get()),
                                      "seek of " + to_string(partition),
                                      rd_kafka_error_string(error.get())));
  }
  return first_error(*list, "seek of");
}

std::vector<TopicPartition> Consumer::assignment() const {
  return impl_->assignment.partitions();
}

std::optional<Error> Consumer::connection_error() const {
  return impl_->connection_error;
}

void Consumer::close() {
  if (std::exchange(impl_->closed, true)) return;
  const auto error = rd_kafka_consumer_close(impl_->client.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log::warning("kafka group {}: leaving it: {}", impl_->group, rd_kafka_err2str(error));
  }
  impl_->assignment.clear();
}

}  // namespace searchsync::kafka
