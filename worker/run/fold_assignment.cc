// What FoldLoop does with partitions: when they come and go, and when they yield.

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/log.h"
#include "worker/run/fold_loop.h"

namespace searchsync::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kKafkaTimeout{15'000};

// The document log keeps what compaction may take for a week; a day of it is left for the work
// itself.
constexpr milliseconds kLongestOutage = std::chrono::days(6);

}  // namespace

std::vector<kafka::StartOffset> FoldLoop::on_assigned(
    std::span<const kafka::TopicPartition> partitions) {
  std::vector<kafka::StartOffset> starts;
  for (const auto& partition : partitions) {
    auto start = assign(partition.partition);
    if (!start) failure_ = start.error();
    starts.push_back(start.value_or(kafka::StartOffset::beginning()));
  }
  return starts;
}

Result<kafka::StartOffset> FoldLoop::assign(Partition partition) {
  const kafka::TopicPartition place{settings_.document_log, partition};
  ASSIGN_OR_RETURN(const auto committed, consumer_->committed(std::span(&place, 1), kKafkaTimeout));
  ASSIGN_OR_RETURN(const auto ends, consumer_->watermarks(place, kKafkaTimeout));
  forget(partition);
  const uint64_t assignment = ++assignments_;
  Assigned& assigned = assigned_[assignment];
  assigned.assignment = assignment;
  assigned.partition = partition;
  assigned.committed = committed.front().value_or(Offset(0));
  assigned.store = states_.partition(partition);
  assigned.worker = std::make_unique<PartitionWorker>(
      pipeline_,
      PartitionWorker::Options{.partition = partition,
                               .partitions = settings_.partitions,
                               .generation = settings_.generation,
                               .log_retention = settings_.log_retention},
      *assigned.store);
  // State is of no use to whoever keeps other columns of the rows.
  const auto identity = settings_.document_log + " " + model::slots_hash(pipeline_);
  const auto from =
      assigned.worker->start({.identity = identity,
                              .committed = assigned.committed,
                              .end = ends.high,
                              .now_ms = milliseconds_now(),
                              .oldest_usable_ms = milliseconds_now() - kLongestOutage.count()});
  show_halt(assigned);
  log::info("document log {} partition {}: assigned, state at {}, committed {}, end {}",
            settings_.document_log, partition.get(), from.get(), assigned.committed.get(),
            ends.high.get());
  // Committed once more, with who leads: whoever committed last may not have said so.
  assigned.committed = Offset(0);
  for (auto& work : assigned.worker->resume()) take(assigned, std::move(work));
  const auto yielded = milliseconds(assigned.worker->yielded_ms());
  const auto left = yielded + model::kYield - milliseconds(milliseconds_now());
  if (left.count() > 0) yield(assigned, std::min(left, model::kYield));
  return from <= ends.low ? kafka::StartOffset::beginning() : kafka::StartOffset::exact(from);
}

void FoldLoop::on_revoked(std::span<const kafka::TopicPartition> partitions) {
  commit(kafka::CommitMode::kSync);
  on_lost(partitions);
}

void FoldLoop::on_lost(std::span<const kafka::TopicPartition> partitions) {
  for (const auto& partition : partitions) {
    log::info("document log {} partition {}: given up", settings_.document_log,
              partition.partition.get());
    forget(partition.partition);
  }
}

void FoldLoop::on_records_lost(const kafka::TopicPartition& partition, const Error& error) {
  health_.not_ready(fmt::format("document log partition {}", partition.partition.get()),
                    error.message);
  forget(partition.partition);
}

void FoldLoop::forget(Partition partition) {
  std::erase_if(assigned_, [&](const auto& entry) { return entry.second.partition == partition; });
  metrics_.no_lag("fold", settings_.document_log, partition.get());
}

FoldLoop::Assigned* FoldLoop::find(Partition partition) {
  const auto found = std::ranges::find_if(
      assigned_, [&](const auto& entry) { return entry.second.partition == partition; });
  return found == assigned_.end() ? nullptr : &found->second;
}

FoldLoop::Assigned* FoldLoop::find(uint64_t assignment) {
  const auto found = assigned_.find(assignment);
  return found == assigned_.end() ? nullptr : &found->second;
}

void FoldLoop::yield(Assigned& assigned, milliseconds time) {
  assigned.yields_until = Clock::now() + time;
  log::info(
      "document log {} partition {}: generation {} leads from here; nothing more is applied {}{} s",
      settings_.document_log, assigned.partition.get(), assigned.worker->leader().get(),
      assigned.worker->taking_over() ? "until all before it is written, or " : "for ",
      std::chrono::ceil<std::chrono::seconds>(time).count());
}

// Whether a partition yields until all that was before its lead is done.
bool FoldLoop::taking_over() const {
  return std::ranges::any_of(assigned_, [](const auto& entry) {
    return entry.second.yields_until && entry.second.worker->taking_over();
  });
}

// Of partitions that yield.
Result<void> FoldLoop::pause_and_resume(Clock::time_point now) {
  for (auto& [assignment, assigned] : assigned_) {
    if (!assigned.yields_until) continue;
    const kafka::TopicPartition place{settings_.document_log, assigned.partition};
    const bool leads = assigned.worker->leader() == settings_.generation;
    if (now < *assigned.yields_until && (!leads || assigned.worker->taking_over())) {
      RETURN_IF_ERROR(consumer_->pause(std::span(&place, 1)));
      continue;
    }
    assigned.yields_until.reset();
    if (leads) next_commit_ = now;
    RETURN_IF_ERROR(consumer_->resume(std::span(&place, 1)));
    RETURN_IF_ERROR(
        consumer_->seek({place.topic, place.partition, assigned.worker->applied()}, kKafkaTimeout));
  }
  return {};
}

}  // namespace searchsync::worker
