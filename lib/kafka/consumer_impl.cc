#include "lib/kafka/consumer_impl.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/kafka/errors.h"

namespace searchsync::kafka {

int64_t to_raw(StartOffset start) {
  switch (start.kind) {
    case StartOffset::Kind::kCommitted:
      return RD_KAFKA_OFFSET_STORED;
    case StartOffset::Kind::kBeginning:
      return RD_KAFKA_OFFSET_BEGINNING;
    case StartOffset::Kind::kEnd:
      return RD_KAFKA_OFFSET_END;
    case StartOffset::Kind::kExact:
      return start.offset.get();
  }
  return RD_KAFKA_OFFSET_INVALID;
}

Offset floor_of(StartOffset start) {
  return start.kind == StartOffset::Kind::kExact ? start.offset : Offset(0);
}

Result<void> first_error(const rd_kafka_topic_partition_list_t& list, std::string_view doing) {
  for (const auto& each : std::span(list.elems, static_cast<size_t>(list.cnt))) {
    if (each.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const TopicPartition where{each.topic, Partition(each.partition)};
    return std::unexpected(make_error(each.err, fmt::format("{} {}", doing, to_string(where))));
  }
  return {};
}

namespace {
constexpr size_t kQueueMessagesMax = 100'000;  // queued.min.messages, librdkafka's default
constexpr std::chrono::milliseconds kAskMax{15'000};
constexpr std::chrono::milliseconds kAnswerMax{5'000};
constexpr std::chrono::milliseconds kAskAgain{100};

std::vector<TopicPartition> those(std::span<const TopicPartition> partitions, const auto& wanted) {
  std::vector<TopicPartition> result;
  std::ranges::copy_if(partitions, std::back_inserter(result), wanted);
  return result;
}
}  // namespace

void Consumer::Impl::on_rebalance(int kind, rd_kafka_topic_partition_list_t& list) {
  const auto partitions = from_list(list);
  Handle<rd_kafka_error_s> error;
  if (kind == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    if (auto fresh = resume(partitions); !fresh && !pending_error) pending_error = fresh.error();
    if (!partitions.empty()) take(partitions, list);
    error.reset(rd_kafka_incremental_assign(client.get(), &list));
  } else {
    if (kind != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
      log::warning("kafka group {}: rebalance failed: {}", group,
                   rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(kind)));
    }
    if (!partitions.empty()) give_up(partitions);
    error.reset(rd_kafka_incremental_unassign(client.get(), &list));
  }
  if (error) {
    pending_error = make_error(rd_kafka_error_code(error.get()),
                               "kafka group " + group + ": changing the assignment",
                               rd_kafka_error_string(error.get()));
  }
}

void Consumer::Impl::take(const std::vector<TopicPartition>& partitions,
                          rd_kafka_topic_partition_list_t& list) {
  const auto starts = listener->on_assigned(partitions);
  CHECK(starts.size() == partitions.size(), "{} starts for {} partitions", starts.size(),
        partitions.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    list.elems[i].offset = to_raw(starts[i]);
    assignment.add(partitions[i], floor_of(starts[i]));
  }
  find_committed(partitions, list);
}

// librdkafka would ask by itself, but where the coordinator has just moved it does not ask again:
// then it never starts, nor anything that is assigned later.
// Source: github.com/confluentinc/librdkafka/issues/5586.
void Consumer::Impl::find_committed(std::span<const TopicPartition> partitions,
                                    rd_kafka_topic_partition_list_t& list) {
  std::vector<size_t> places;
  std::vector<TopicPartition> asked;
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (list.elems[i].offset != RD_KAFKA_OFFSET_STORED) continue;
    places.push_back(i);
    asked.push_back(partitions[i]);
  }
  if (asked.empty()) return;
  const auto deadline = std::chrono::steady_clock::now() + kAskMax;
  auto offsets = committed(asked, kAnswerMax);
  while (!offsets) {
    if (std::chrono::steady_clock::now() >= deadline) return;
    std::this_thread::sleep_for(kAskAgain);
    offsets = committed(asked, kAnswerMax);
  }
  for (size_t i = 0; i < places.size(); ++i) {
    const auto& offset = (*offsets)[i];
    list.elems[places[i]].offset = offset ? offset->get() : no_offset;
    if (offset) assignment.move(asked[i], *offset);
  }
}

Result<std::vector<std::optional<Offset>>> Consumer::Impl::committed(
    std::span<const TopicPartition> partitions, std::chrono::milliseconds timeout) const {
  const auto list = to_list(partitions);
  const auto error =
      rd_kafka_committed(client.get(), list.get(), static_cast<int>(timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(make_error(error, "kafka group " + group + ": committed offsets"));
  }
  RETURN_IF_ERROR(first_error(*list, "committed offset of"));
  std::vector<std::optional<Offset>> offsets;
  offsets.reserve(partitions.size());
  for (const auto& each : std::span(list->elems, static_cast<size_t>(list->cnt))) {
    offsets.push_back(each.offset >= 0 ? std::optional(Offset(each.offset)) : std::nullopt);
  }
  return offsets;
}

void Consumer::Impl::give_up(const std::vector<TopicPartition>& all) {
  // One whose records were lost has been given up already.
  const auto partitions =
      those(all, [this](const auto& each) { return assignment.contains(each); });
  if (partitions.empty()) return;
  if (polling) {
    // Taken off librdkafka's queue in this very poll, before the rebalance.
    polling->remove([&](std::string_view topic, Partition partition) {
      return std::ranges::any_of(partitions, [&](const TopicPartition& gone) {
        return gone.partition == partition && gone.topic == topic;
      });
    });
  }
  const auto forget = [&] {
    for (const auto& gone : partitions) assignment.remove(gone);
  };
  if (rd_kafka_assignment_lost(client.get())) {
    forget();
    listener->on_lost(partitions);
  } else {
    listener->on_revoked(partitions);
    forget();
  }
}

void Consumer::Impl::on_client_error(int code, std::string_view reason) {
  Error error = make_error(code, "kafka at " + brokers, reason);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> fatal{};
    rd_kafka_fatal_error(client.get(), fatal.data(), fatal.size());
    pending_error = make_error(code, "kafka group " + group, fatal.data());
  } else if (error.code == ErrorCode::kPermission) {
    pending_error = std::move(error);
  } else {
    connection_error = std::move(error);
  }
}

Result<void> Consumer::Impl::sent(int code, const std::string& context) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(code, context));
  ++commits;
  committed_at = std::chrono::steady_clock::now();
  return {};
}

// Comes for every commit that was sent.
void Consumer::Impl::on_commit(int code, const rd_kafka_topic_partition_list_t* list) {
  if (commits > 0) --commits;
  if (code == RD_KAFKA_RESP_ERR__NO_OFFSET || !listener) return;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    listener->on_commit_failed(make_error(code, "kafka group " + group + ": commit"));
  } else if (list) {
    if (const auto each = first_error(*list, "commit of"); !each) {
      listener->on_commit_failed(each.error());
    }
  }
}

void Consumer::Impl::on_message(rd_kafka_message_t* message, PollBatch& batch) {
  const char* const name = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (message->rkt != last_topic) {
      last_topic = message->rkt;
      last_topic_size = std::char_traits<char>::length(name);
    }
    const std::string_view topic(name, last_topic_size);
    if (assignment.admit(message->rkt, topic, Partition(message->partition),
                         Offset(message->offset))) {
      return batch.add_message(message, topic);
    }
    look_back(*message, name);
  } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    look_back(*message, name);
    if (assignment.contains({name, Partition(message->partition)})) {
      return batch.add_end(message, name);
    }
  } else {
    on_consumer_error(*message, name);
  }
  rd_kafka_message_destroy(message);
}

void Consumer::Impl::look_back(const rd_kafka_message_t& message, const char* topic) {
  const TopicPartition partition{topic, Partition(message.partition)};
  const auto next = assignment.next(partition);
  if (!next || Offset(message.offset) >= *next || looked_back[partition] == *next) return;
  looked_back[partition] = *next;
  int64_t low = 0;
  int64_t high = 0;
  const auto error = rd_kafka_query_watermark_offsets(client.get(), topic, message.partition, &low,
                                                      &high, static_cast<int>(kAnswerMax.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    looked_back.erase(partition);
    return;
  }
  if (Offset(high) >= *next) return;
  Error lost{
      ErrorCode::kNotFound,
      fmt::format("{}: it ends at offset {}, and was read up to {}: the topic was made anew, "
                  "or its brokers have lost records; build what is made of it anew",
                  to_string(partition), high, next->get())};
  if (auto silent = pause(std::span(&partition, 1)); !silent) pending_error = silent.error();
  assignment.remove(partition);
  if (!listener) {
    pending_error = std::move(lost);
    return;
  }
  log::error("kafka group {}: {}", group, lost.message);
  listener->on_records_lost(partition, lost);
}

void Consumer::Impl::on_consumer_error(const rd_kafka_message_t& message, const char* topic) {
  if (message.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
    // on_lost follows, and librdkafka joins again by itself.
    log::warning("kafka group {}: {}; poll more often, or raise max_poll_interval", group,
                 rd_kafka_message_errstr(&message));
    return;
  }
  std::string where = "kafka group " + group;
  if (*topic != '\0') {
    where = message.partition >= 0 ? to_string(TopicPartition{topic, Partition(message.partition)})
                                   : fmt::format("topic {}", topic);
  }
  Error error = make_error(message.err, where, rd_kafka_message_errstr(&message));
  if (error.retryable()) {
    connection_error = std::move(error);
  } else if (!pending_error) {
    pending_error = std::move(error);
  }
}

void Consumer::Impl::keep_fetching(const PollBatch& batch) {
  size_t bytes = 0;
  for (const auto& event : batch) {
    const auto* const message = std::get_if<Message>(&event);
    if (message) bytes += message->key.value_or("").size() + message->value.value_or("").size();
  }
  average_bytes = (average_bytes * 7 + bytes / batch.size()) / 8;
  const size_t queued = rd_kafka_queue_length(queue.get());
  queued_most = std::max(queued_most, queued);
  const bool was_nearly_full =
      queued_most >= kQueueMessagesMax / 2 || queued_most * average_bytes >= queue_bytes_max / 2;
  if (!was_nearly_full || queued > queued_most / 2) return;
  queued_most = queued;
  const auto list = to_list(assignment.partitions());
  for (auto& each : std::span(list->elems, static_cast<size_t>(list->cnt))) {
    each.offset = RD_KAFKA_OFFSET_END;
  }
  // The answer does not matter, so it is not waited for.
  rd_kafka_offsets_for_times(client.get(), list.get(), 1);
}

Result<void> Consumer::Impl::pause(std::span<const TopicPartition> partitions) {
  const auto ours = those(partitions, [this](const auto& each) {
    return assignment.contains(each) && !paused.contains(each);
  });
  if (ours.empty()) return {};
  const auto list = to_list(ours);
  const auto error = rd_kafka_pause_partitions(client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, "pause"));
  paused.insert(ours.begin(), ours.end());
  return first_error(*list, "pause of");
}

Result<void> Consumer::Impl::resume(std::span<const TopicPartition> partitions) {
  const auto still = those(partitions, [this](const auto& each) { return paused.contains(each); });
  if (still.empty()) return {};
  const auto list = to_list(still);
  const auto error = rd_kafka_resume_partitions(client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, "resume"));
  for (const auto& each : still) paused.erase(each);
  return {};  // one that librdkafka has forgotten is not paused
}

}  // namespace searchsync::kafka
