#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "capture/core/state.h"
#include "capture/core/xid_snapshot.h"
#include "lib/base/function_ref.h"
#include "lib/postgres/lsn.h"

namespace searchsync::capture {

// The transactions that the stream delivered and that may still be asked for again, oldest first:
// which of their records Kafka acknowledged, and whether queries see them yet. A transaction is
// done when it has been received whole, all its records are acknowledged and it is known to be
// visible; then its effects on the state apply, in order.
//
// That it has to be visible is what lets a snapshot chunk trust the stream after a restart: see
// docs/decisions/0001-capture-positions.md.
class AckTracker {
 public:
  struct Floor {
    size_t table;
    uint64_t lsn;
  };
  struct Transaction {
    uint32_t xid = 0;
    postgres::Lsn end;
    uint64_t pending = 0;  // records sent and not acknowledged
    bool complete = false;
    bool visible = false;
    std::vector<Floor> floors;  // of each table it touched: the highest lsn given
    std::vector<std::pair<size_t, TableState>> changes;  // a table's new state, except its floor
  };

  // Starts a transaction; the one before must be complete.
  void begin(uint32_t xid);
  // The transaction that is being received. One must be.
  Transaction& current();
  bool receiving() const { return !transactions_.empty() && !transactions_.back().complete; }
  // Ends it; the next position in the log that can matter is `end`.
  void commit(postgres::Lsn end);

  // The number of the newest transaction. Numbers rise by one.
  uint64_t newest() const { return first_ + transactions_.size() - 1; }
  void sent() { ++current().pending; }
  void acknowledged(uint64_t number);
  void seen_by(const XidSnapshot& snapshot);

  // The transactions that touched the table, or still may, and that a snapshot taken from now on
  // may not see.
  std::vector<uint32_t> maybe_hidden(size_t table) const;
  bool waits_for_visibility() const { return invisible_ > 0; }

  // Where the last of them ends of which, and of all before, every record is acknowledged, whether
  // visible or not; nothing: the first still has some to come.
  std::optional<postgres::Lsn> acknowledged_end();
  bool all_acknowledged();

  // Hands over and forgets those that are done, up to the first that is not.
  void pop_done(FunctionRef<void(const Transaction&)> apply);
  size_t size() const { return transactions_.size(); }
  bool empty() const { return transactions_.empty(); }

 private:
  void count_acknowledged();

  std::deque<Transaction> transactions_;
  size_t acknowledged_ = 0;  // of the oldest so many, every record is
  uint64_t first_ = 1;       // the number of the oldest
  size_t invisible_ = 0;     // complete, touched a table, and not yet seen
};

}  // namespace searchsync::capture
