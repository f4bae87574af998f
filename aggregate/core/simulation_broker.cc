#include "aggregate/core/simulation_broker.h"

#include <iterator>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::aggregate::simulation {

Broker::Transaction Broker::begin(uint64_t step) {
  transactions_[++last_].since = step;
  return last_;
}

bool Broker::is_open(Transaction transaction) const {
  const auto found = transactions_.find(transaction);
  return found != transactions_.end() && found->second.outcome == Outcome::kOpen;
}

std::optional<size_t> Broker::append(Transaction transaction, size_t partition, TableEntry entry) {
  if (!is_open(transaction)) return std::nullopt;
  transactions_[transaction].partitions.insert(partition);
  entry.transaction = transaction;
  tables[partition].push_back(std::move(entry));
  return tables[partition].size() - 1;
}

void Broker::add_letter(Transaction transaction, Letter letter) {
  if (is_open(transaction)) transactions_[transaction].letters.push_back(letter);
}

bool Broker::send_offset(Transaction transaction, size_t partition, uint64_t assignment,
                         Offset next) {
  if (!is_open(transaction) || owners[partition] != assignment) return false;
  transactions_[transaction].offsets[partition] = next;
  return true;
}

Broker::Outcome Broker::end(Transaction transaction, Outcome outcome) {
  if (!is_open(transaction)) return Outcome::kAborted;
  Open& open = transactions_[transaction];
  open.outcome = outcome;
  if (outcome == Outcome::kCommitted) {
    for (const auto& letter : open.letters) ++letters[letter];
  }
  return outcome;
}

void Broker::spread(uint64_t choice) {
  if (transactions_.empty()) return;
  const auto any =
      std::next(transactions_.begin(), static_cast<ptrdiff_t>(choice % transactions_.size()));
  auto& [transaction, open] = *any;
  if (open.outcome == Outcome::kOpen) return;
  const size_t left = open.partitions.size() + (open.offsets_done ? 0 : 1);
  const size_t chosen = choice / 7 % left;
  if (chosen < open.partitions.size()) {
    const size_t partition = *std::next(open.partitions.begin(), static_cast<ptrdiff_t>(chosen));
    for (auto& entry : tables[partition]) {
      if (entry.transaction == transaction) entry.outcome = open.outcome;
    }
    tables[partition].push_back({.outcome = open.outcome, .marker = true});
    open.partitions.erase(partition);
  } else {
    if (open.outcome == Outcome::kCommitted) {
      for (const auto& [partition, next] : open.offsets) committed_[partition] = next;
    }
    open.offsets_done = true;
  }
  if (open.partitions.empty() && open.offsets_done) transactions_.erase(any);
}

void Broker::abort_older_than(uint64_t step) {
  for (auto& [transaction, open] : transactions_) {
    if (open.outcome == Outcome::kOpen && open.since < step) open.outcome = Outcome::kAborted;
  }
}

std::optional<std::optional<Offset>> Broker::stable_committed(size_t partition) const {
  for (const auto& [transaction, open] : transactions_) {
    if (!open.offsets_done && open.offsets.contains(partition)) return std::nullopt;
  }
  return committed_[partition];
}

size_t Broker::stable_end(size_t partition) const {
  size_t end = 0;
  for (const auto& entry : tables[partition]) {
    if (entry.outcome == Outcome::kOpen) break;
    ++end;
  }
  return end;
}

}  // namespace searchsync::aggregate::simulation
