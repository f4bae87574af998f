// What TableLoop does with partitions: when they come and go, and how one is restored.

#include <fmt/core.h>

#include <algorithm>

#include "aggregate/run/table_loop.h"
#include "lib/base/log.h"
#include "worker/core/bytes.h"

namespace searchsync::aggregate {
namespace {

using std::chrono::milliseconds;

constexpr size_t kRowsMax = 10'000;  // of one poll
constexpr milliseconds kCommittedTimeout{3'000};
constexpr milliseconds kTryAgain{200};
constexpr milliseconds kKafkaTimeout{15'000};

std::string prefix_of(Partition partition) {
  std::string prefix;
  worker::append_integer(prefix, static_cast<uint16_t>(partition.get()));
  return prefix;
}

}  // namespace

// Nothing is read before the rows are: where to begin is known then, and until then it is the end.
// As a number: a seek while librdkafka still asks for the end would be undone by the answer.
std::vector<kafka::StartOffset> TableLoop::on_assigned(
    std::span<const kafka::TopicPartition> partitions) {
  const auto ends = admin_->list_offsets(settings_.events, kafka::Admin::Ends::kAll);
  if (!ends) failure_ = ends.error();
  std::vector<kafka::StartOffset> starts;
  for (const auto& [topic, partition] : partitions) {
    assigned_[partition] = Assigned{.partition = partition};
    const auto at = static_cast<size_t>(partition.get());
    const bool known = ends && at < ends->size();
    starts.push_back(known ? kafka::StartOffset::exact((*ends)[at].end)
                           : kafka::StartOffset::end());
    if (partition.get() < partitions_) continue;
    failure_ = Error{ErrorCode::kUnsupported,
                     fmt::format("topic {} has a new partition {}", topic, partition.get())};
  }
  log::info("events {}: {} partitions assigned, {} in all", settings_.events, partitions.size(),
            assigned_.size());
  return starts;
}

void TableLoop::on_revoked(std::span<const kafka::TopicPartition> partitions) {
  if (auto written = write(Write::kAll); !written) failure_ = written.error();
  on_lost(partitions);
}

void TableLoop::on_lost(std::span<const kafka::TopicPartition> partitions) {
  for (const auto& one : partitions) {
    assigned_.erase(one.partition);
    metrics_.no_lag(settings_.events, one.partition.get());
  }
  if (auto assigned = assign_reader(); !assigned) failure_ = assigned.error();
  log::info("events {}: {} partitions given up, {} left", settings_.events, partitions.size(),
            assigned_.size());
}

void TableLoop::on_records_lost(const kafka::TopicPartition&, const Error& error) {
  failure_ = error;
}

void TableLoop::on_commit_failed(const Error&) {}  // offsets are committed with the rows

Result<void> TableLoop::take_up() {
  const auto now = Clock::now();
  std::vector<Assigned*> ready;
  for (Assigned* assigned : in_phase(Phase::kWaits)) {
    const auto place = events_of(*assigned);
    RETURN_IF_ERROR(consumer_->pause(std::span(&place, 1)));
    if (now >= assigned->try_again) ready.push_back(assigned);
  }
  if (ready.empty()) return {};
  return begin_restoring(std::move(ready));
}

// The committed offset first, then the end of the table: what the one is of is before the other. An
// offset is not told while a transaction that would change it is under way.
Result<void> TableLoop::begin_restoring(std::vector<Assigned*> assigned) {
  std::vector<kafka::TopicPartition> places;
  for (const Assigned* one : assigned) places.push_back(events_of(*one));
  const auto committed = consumer_->committed(places, kCommittedTimeout);
  if (!committed) {
    if (!committed.error().retryable() && committed.error().code != ErrorCode::kFenced) {
      return std::unexpected(committed.error());
    }
    log::info("events {}: {}; waiting", settings_.events, committed.error().message);
    for (Assigned* one : assigned) one->try_again = Clock::now() + kTryAgain;
    return {};
  }
  ASSIGN_OR_RETURN(const auto table,
                   admin_->list_offsets(settings_.table, kafka::Admin::Ends::kAll));
  for (size_t i = 0; i < assigned.size(); ++i) {
    Assigned& one = *assigned[i];
    const auto at = static_cast<size_t>(one.partition.get());
    if (at >= table.size()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("topic {} has no partition {}", settings_.table, at));
    }
    one.core.reset();
    one.store = states_.store(prefix_of(one.partition));
    one.core = std::make_unique<TablePartition>(
        definition_,
        TablePartition::Options{
            .partition = one.partition, .partitions = partitions_, .errors = settings_.errors},
        *one.store, shared_);
    const Offset from = one.core->start(
        {.identity = settings_.table, .committed = (*committed)[i], .table_end = table[at].end});
    one.phase = Phase::kRestores;
    one.events = one.duplicates = 0;
    log::info("table {} partition {}: read from {} to {}, events committed to {}", settings_.table,
              at, from.get(), table[at].end.get(), (*committed)[i].value_or(Offset(0)).get());
    if (one.core->restored()) RETURN_IF_ERROR(begin_reading(one));
  }
  return assign_reader();
}

// Of those that are being restored, each from where it has come.
Result<void> TableLoop::assign_reader() {
  std::vector<kafka::PartitionStart> starts;
  for (const Assigned* assigned : in_phase(Phase::kRestores)) {
    const Offset from = assigned->core->restored_until();
    starts.push_back({table_of(*assigned), from.get() == 0 ? kafka::StartOffset::beginning()
                                                           : kafka::StartOffset::exact(from)});
  }
  return reader_->assign(starts);
}

Result<void> TableLoop::restore() {
  if (in_phase(Phase::kRestores).empty()) return {};
  const auto polled = reader_->poll(milliseconds(20), kRowsMax);
  if (!polled) {
    if (polled.error().retryable()) return {};
    return std::unexpected(polled.error());
  }
  std::vector<TableRecord> records;
  Partition partition{-1};
  const auto restore_run = [&]() -> Result<void> {
    RETURN_IF_ERROR(restore(partition, records));
    records.clear();
    return {};
  };
  std::vector<std::pair<Partition, Offset>> ends;
  for (const auto& event : *polled) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message == nullptr) {
      const auto& end = std::get<kafka::PartitionEnd>(event);
      ends.emplace_back(end.partition, end.offset);
      continue;
    }
    if (message->partition != partition) {
      RETURN_IF_ERROR(restore_run());
      partition = message->partition;
    }
    records.push_back({message->offset, message->key.value_or(std::string_view()),
                       message->header(kStateHeader.data())});
  }
  RETURN_IF_ERROR(restore_run());
  for (const auto& [its, offset] : ends) {
    Assigned* const assigned = find(its);
    if (assigned == nullptr || assigned->phase != Phase::kRestores) continue;
    assigned->core->restored_to(offset);
  }
  bool any = false;
  for (Assigned* assigned : in_phase(Phase::kRestores)) {
    if (!assigned->core->restored()) continue;
    RETURN_IF_ERROR(begin_reading(*assigned));
    any = true;
  }
  return any ? assign_reader() : Result<void>{};
}

Result<void> TableLoop::restore(Partition partition, std::span<const TableRecord> records) {
  Assigned* const assigned = find(partition);
  if (records.empty() || assigned == nullptr || assigned->phase != Phase::kRestores) return {};
  auto restored = assigned->core->restore(records);
  if (!restored) {
    health_.not_ready("binding " + settings_.binding,
                      fmt::format("topic {}: {}", settings_.table, restored.error().message));
  }
  return restored;
}

Result<void> TableLoop::begin_reading(Assigned& assigned) {
  const auto place = events_of(assigned);
  ASSIGN_OR_RETURN(const auto ends, consumer_->watermarks(place, kKafkaTimeout));
  const auto from = assigned.core->resume_at(ends.low);
  if (!from) {
    health_.not_ready("binding " + settings_.binding,
                      fmt::format("topic {}: {}", settings_.events, from.error().message));
    return std::unexpected(from.error());
  }
  assigned.phase = Phase::kReads;
  if (assigned.core->halted()) return halt(assigned);
  RETURN_IF_ERROR(consumer_->resume(std::span(&place, 1)));
  log::info("events {} partition {}: read from {}", settings_.events, assigned.partition.get(),
            from->get());
  return consumer_->seek({place.topic, place.partition, *from}, kKafkaTimeout);
}

// What they were going to write is not committed: they begin again from what is.
void TableLoop::reset(std::span<Assigned* const> assigned, const Error& why) {
  log::warning("table {}: {}; taking up again what is committed", settings_.table, why.message);
  for (Assigned* one : assigned) {
    one->phase = Phase::kWaits;
    one->try_again = {};
    one->core.reset();
    one->store.reset();
  }
}

}  // namespace searchsync::aggregate
