// What TableLoop does to write rows: one transaction from its beginning to its end.

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "aggregate/run/table_loop.h"
#include "lib/base/log.h"
#include "lib/dead_letters/letter.h"

namespace searchsync::aggregate {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kNoRow = UINT64_MAX;  // the token of what is not the table's
constexpr milliseconds kRoomWithin{30'000};

}  // namespace

bool TableLoop::is_due(const Assigned& assigned) const {
  const auto due = assigned.core->due_ms();
  return due && *due <= now_ms();
}

Result<void> TableLoop::write(Write which) {
  std::vector<Assigned*> writing;
  for (Assigned* assigned : in_phase(Phase::kReads)) {
    const bool wanted =
        which == Write::kAll ? assigned->core->due_ms().has_value() : is_due(*assigned);
    if (wanted) writing.push_back(assigned);
  }
  if (writing.empty()) return {};
  const auto started = Clock::now();
  RETURN_IF_ERROR(producer_->begin_transaction());
  std::vector<kafka::TopicOffset> offsets;
  for (Assigned* assigned : writing) {
    auto next = send(*assigned, which == Write::kAll ? TablePartition::Which::kAll
                                                     : TablePartition::Which::kDue);
    if (!next) {
      metrics_.aborted.add();
      reset(writing, next.error());
      return producer_->abort_transaction();
    }
    offsets.push_back(std::move(*next));
  }
  const auto done = producer_->commit_transaction(offsets, consumer_->group_metadata());
  if (!done) {
    metrics_.aborted.add();
    // Also where the loop ends with this: as it leaves the group, it writes once more what it may.
    reset(writing, done.error());
    if (done.error().code == ErrorCode::kFenced) return done;
    return {};
  }
  for (Assigned* assigned : writing) assigned->core->flushed(assigned->table_end);
  metrics_.committed.add();
  metrics_.transaction_seconds.observe(
      std::chrono::duration<double>(Clock::now() - started).count());
  return {};
}

Result<kafka::TopicOffset> TableLoop::send(Assigned& assigned, TablePartition::Which which) {
  assigned.table_end.reset();
  std::optional<Error> failed;
  uint64_t rows = 0;
  const auto token = static_cast<uint64_t>(assigned.partition.get());
  const auto flush = assigned.core->flush(which, now_ms(), [&](const TableRow& row) {
    if (failed) return;
    const kafka::Header state{kStateHeader, row.state};
    auto sent =
        send(settings_.table, assigned.partition, row.key, row.value, std::span(&state, 1), token);
    if (!sent) failed = sent.error();
    ++rows;
  });
  if (failed) return std::unexpected(*failed);
  for (const auto& refused : flush.refused) {
    RETURN_IF_ERROR(send_dead_letter(refused, assigned.partition));
  }
  metrics_.rows.add(static_cast<double>(rows));
  return kafka::TopicOffset{settings_.events, assigned.partition, flush.next};
}

Result<void> TableLoop::send_dead_letter(const RefusedEvent& refused, Partition partition) {
  log::warning("binding {}: topic {} partition {} offset {}: dead letter: {}", settings_.binding,
               settings_.events, partition.get(), refused.offset.get(), refused.reason);
  std::vector<std::string> numbers;
  const dead_letters::Letter letter{.stage = dead_letters::kAggregate,
                                    .binding = settings_.binding,
                                    .topic = settings_.events,
                                    .partition = partition,
                                    .offset = refused.offset,
                                    .log = settings_.table,
                                    .reason = refused.reason,
                                    .key = refused.key,
                                    .value = refused.value};
  metrics_.dead_letters.add();
  return send(settings_.dead_letter_topic, kafka::kPartitionByKey, refused.key, refused.value,
              headers_of(letter, numbers), kNoRow);
}

// Waits for room in the producer's queue.
Result<void> TableLoop::send(std::string_view topic, Partition partition,
                             std::optional<std::string_view> key,
                             std::optional<std::string_view> value,
                             std::span<const kafka::Header> headers, uint64_t token) {
  const auto deadline = Clock::now() + kRoomWithin;
  for (;;) {
    auto sent = producer_->send(topic, partition, key, value, headers, token);
    if (sent || sent.error().code != ErrorCode::kLimit || Clock::now() >= deadline) return sent;
    producer_->poll(milliseconds(10));
  }
}

void TableLoop::on_delivery(const kafka::Delivery& delivery) {
  if (delivery.error || delivery.token == kNoRow) return;  // an error fails the commit, too
  Assigned* const assigned = find(Partition(static_cast<int32_t>(delivery.token)));
  if (assigned == nullptr) return;
  const Offset end(delivery.offset.get() + 1);
  assigned->table_end = std::max(assigned->table_end.value_or(end), end);
}

}  // namespace searchsync::aggregate
