#include "capture/core/ack_tracker.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::capture {

void AckTracker::begin(uint32_t xid) {
  CHECK(!receiving());
  transactions_.emplace_back().xid = xid;
}

AckTracker::Transaction& AckTracker::current() {
  CHECK(receiving());
  return transactions_.back();
}

void AckTracker::commit(postgres::Lsn end) {
  Transaction& transaction = current();
  transaction.end = end;
  transaction.complete = true;
  // One that touched nothing of ours hides nothing.
  if (transaction.floors.empty()) {
    transaction.visible = true;
  } else {
    ++invisible_;
  }
}

void AckTracker::acknowledged(uint64_t number) {
  CHECK(number >= first_ && number <= newest(), "transaction {}", number);
  Transaction& transaction = transactions_[number - first_];
  CHECK(transaction.pending > 0);
  --transaction.pending;
}

void AckTracker::seen_by(const XidSnapshot& snapshot) {
  if (invisible_ == 0) return;
  for (Transaction& transaction : transactions_) {
    if (!transaction.complete || transaction.visible || !snapshot.sees(transaction.xid)) continue;
    transaction.visible = true;
    --invisible_;
  }
}

std::vector<uint32_t> AckTracker::maybe_hidden(size_t table) const {
  std::vector<uint32_t> xids;
  const auto touched = [&](const Floor& floor) { return floor.table == table; };
  for (const Transaction& transaction : transactions_) {
    if (transaction.visible) continue;
    if (!transaction.complete || std::ranges::any_of(transaction.floors, touched)) {
      xids.push_back(transaction.xid);
    }
  }
  return xids;
}

// Each is looked at once: what is acknowledged stays so.
void AckTracker::count_acknowledged() {
  while (acknowledged_ < transactions_.size()) {
    const Transaction& next = transactions_[acknowledged_];
    if (!next.complete || next.pending > 0) return;
    ++acknowledged_;
  }
}

std::optional<postgres::Lsn> AckTracker::acknowledged_end() {
  count_acknowledged();
  if (acknowledged_ == 0) return std::nullopt;
  return transactions_[acknowledged_ - 1].end;
}

bool AckTracker::all_acknowledged() {
  count_acknowledged();
  return acknowledged_ == transactions_.size();
}

void AckTracker::pop_done(FunctionRef<void(const Transaction&)> apply) {
  while (!transactions_.empty()) {
    const Transaction& oldest = transactions_.front();
    if (!oldest.complete || !oldest.visible || oldest.pending > 0) return;
    apply(oldest);
    transactions_.pop_front();
    ++first_;
    if (acknowledged_ > 0) --acknowledged_;
  }
}

}  // namespace searchsync::capture
