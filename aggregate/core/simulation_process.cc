#include "aggregate/core/simulation_process.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::aggregate::simulation {

void Process::assign(size_t partition, uint64_t assignment) {
  assigned_[partition] = assignment;
}

void Process::lose(size_t partition) {
  parts_.erase(partition);
}

uint64_t Process::assignment(size_t partition) const {
  if (const auto later = assigned_.find(partition); later != assigned_.end()) return later->second;
  const auto found = parts_.find(partition);
  return found == parts_.end() ? 0 : found->second.assignment;
}

// Something of what was ever on disk since the last crash is there after the next.
void Process::save(size_t partition) {
  Disk& disk = disks_[partition];
  if (disk.saved.size() >= 6)
    disk.saved.erase(disk.saved.begin() + static_cast<ptrdiff_t>(below(6)));
  disk.saved.push_back(disk.store.map());
}

void Process::crash() {
  transaction_.reset();
  assigned_.clear();
  shared_.refused = 0;
  for (auto& [partition, disk] : disks_) {
    if (disk.saved.empty() || below(5) == 0) {
      disk.store.restore({});
      disk.saved.clear();
      continue;
    }
    disk.store.restore(disk.saved[below(disk.saved.size())]);
    disk.saved = {disk.store.map()};
  }
  parts_.clear();
  awake_at_ = 0;
}

void Process::reset() {
  transaction_.reset();
  for (auto& [partition, part] : parts_) part = {.assignment = part.assignment};
}

void Process::tick(uint64_t step, int64_t now_ms) {
  if (step < awake_at_) return;
  if (transaction_) return send();
  for (const auto& [partition, assignment] : std::exchange(assigned_, {})) {
    parts_[partition] = {.assignment = assignment};
  }
  if (parts_.empty()) return;
  if (below(4) == 0) return begin(step, now_ms);
  const auto any = std::next(parts_.begin(), static_cast<ptrdiff_t>(below(parts_.size())));
  step_part(any->first, any->second, now_ms);
}

void Process::step_part(size_t partition, Part& part, int64_t now_ms) {
  switch (part.phase) {
    case Phase::kWaits:
      return start(partition, part);
    case Phase::kRestores:
      return restore(partition, part);
    case Phase::kReads:
      return read(partition, part, now_ms);
  }
}

void Process::start(size_t partition, Part& part) {
  const auto committed = broker_.stable_committed(partition);
  if (!committed) return;
  part.core = std::make_unique<TablePartition>(
      definition_,
      TablePartition::Options{.partition = Partition(static_cast<int32_t>(partition)),
                              .partitions = static_cast<int32_t>(kPartitions),
                              .errors = {}},
      disks_[partition].store, shared_);
  const Offset end(static_cast<int64_t>(broker_.tables[partition].size()));
  const Offset from =
      part.core->start({.identity = "table", .committed = *committed, .table_end = end});
  part.table_at = static_cast<size_t>(from.get());
  part.phase = Phase::kRestores;
}

void Process::restore(size_t partition, Part& part) {
  const auto& table = broker_.tables[partition];
  const size_t end = std::min(broker_.stable_end(partition), part.table_at + 1 + below(20));
  std::vector<TableRecord> records;
  for (; part.table_at < end; ++part.table_at) {
    const auto& entry = table[part.table_at];
    if (entry.marker || entry.outcome != Broker::Outcome::kCommitted) continue;
    records.push_back({Offset(static_cast<int64_t>(part.table_at)), entry.key, entry.state});
  }
  const auto restored = part.core->restore(records);
  CHECK(restored, "{}", restored ? "" : restored.error().message);
  part.core->restored_to(Offset(static_cast<int64_t>(part.table_at)));
  if (below(2) == 0) save(partition);
  if (!part.core->restored()) return;
  part.events_at = static_cast<size_t>(
      part.core->resume_at(Offset(static_cast<int64_t>(broker_.begins[partition]))).value().get());
  part.phase = Phase::kReads;
}

void Process::read(size_t partition, Part& part, int64_t now_ms) {
  const auto& log = broker_.events[partition];
  if (part.events_at < broker_.begins[partition]) return reset();  // they have just gone
  if (part.events_at >= log.size()) return;
  if (const auto since = part.core->rewind_to(log[part.events_at].timestamp_ms)) {
    const auto there = std::span(log).subspan(broker_.begins[partition]);
    const auto first = std::ranges::find_if(
        there, [&](const LoggedEvent& event) { return event.timestamp_ms >= *since; });
    part.events_at =
        std::min(part.events_at, static_cast<size_t>(std::to_address(first) - log.data()));
    part.core->rewound(Offset(static_cast<int64_t>(part.events_at)));
    return;
  }
  const size_t end = std::min(log.size(), part.events_at + 1 + below(12));
  std::vector<EventRecord> records;
  for (size_t i = part.events_at; i < end; ++i) records.push_back(log[i].record(i));
  part.core->apply(records, now_ms);
  part.events_at = end;
}

void Process::begin(uint64_t step, int64_t now_ms) {
  const bool all = below(6) == 0;
  const bool due = std::ranges::any_of(parts_, [&](const auto& entry) {
    const auto& part = entry.second;
    return part.phase == Phase::kReads && part.core->due_ms().value_or(now_ms + 1) <= now_ms;
  });
  if (!due && !all) return;
  if (!broker_.is_over(last_)) {
    broker_.end(last_, Broker::Outcome::kAborted);  // if it was left open
    return;
  }
  Sending& sending = transaction_.emplace();
  sending.id = last_ = broker_.begin(step);
  for (auto& [partition, part] : parts_) {
    if (part.phase != Phase::kReads) continue;
    const auto flush =
        part.core->flush(all ? TablePartition::Which::kAll : TablePartition::Which::kDue, now_ms,
                         [&](const TableRow& row) {
                           sending.rows.push_back({partition,
                                                   {.key = std::string(row.key),
                                                    .value = std::string(row.value),
                                                    .state = std::string(row.state)}});
                         });
    for (const auto& refused : flush.refused) {
      sending.letters.push_back({partition, refused.offset.get()});
    }
    sending.next[partition] = flush.next;
  }
}

void Process::send() {
  Sending& sending = *transaction_;
  if (sending.sent < sending.rows.size()) {
    auto& [partition, entry] = sending.rows[sending.sent++];
    const auto place = broker_.append(sending.id, partition, std::move(entry));
    if (!place) return finish(false);
    sending.table_ends[partition] = Offset(static_cast<int64_t>(*place) + 1);
    return;
  }
  if (!sending.offsets_sent) {
    sending.offsets_sent = true;
    for (const auto& letter : sending.letters) broker_.add_letter(sending.id, letter);
    for (const auto& [partition, next] : sending.next) {
      if (!broker_.send_offset(sending.id, partition, parts_.at(partition).assignment, next)) {
        return finish(false);
      }
    }
    if (below(12) == 0) finish(false);
    return;
  }
  const auto outcome = broker_.end(sending.id, Broker::Outcome::kCommitted);
  // It may have been committed, and the answer been lost.
  finish(outcome == Broker::Outcome::kCommitted && below(12) != 0);
}

void Process::finish(bool committed) {
  const Sending sending = std::move(*transaction_);
  transaction_.reset();
  if (!committed) {
    broker_.end(sending.id, Broker::Outcome::kAborted);
    return reset();
  }
  for (const auto& [partition, next] : sending.next) {
    const auto end = sending.table_ends.find(partition);
    parts_.at(partition).core->flushed(
        end == sending.table_ends.end() ? std::nullopt : std::optional(end->second));
    if (below(2) == 0) save(partition);
  }
}

bool Process::done() const {
  return !transaction_ && assigned_.empty() &&
         std::ranges::all_of(parts_, [this](const auto& entry) {
           const auto& [partition, part] = entry;
           return part.phase == Phase::kReads && part.core->waiting() == 0 &&
                  part.core->committed().get() ==
                      static_cast<int64_t>(broker_.events[partition].size());
         });
}

}  // namespace searchsync::aggregate::simulation
