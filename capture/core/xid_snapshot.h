#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::capture {

// Which transactions a query's snapshot sees, as pg_current_snapshot() tells it. What one sees,
// each later one sees too.
//
// The log does not tell this: a transaction's commit is in the log, and in our stream, before its
// changes are visible to queries; with synchronous replication as long before as a standby takes.
class XidSnapshot {
 public:
  XidSnapshot() = default;
  XidSnapshot(uint64_t xmin, uint64_t xmax, std::vector<uint64_t> in_progress);

  // "xmin:xmax:xip,xip…". Errors: kMalformed.
  static Result<XidSnapshot> parse(std::string_view text);

  // `xid`: the lower half of a transaction id no further than 2^31 from this snapshot.
  bool sees(uint32_t xid) const;
  uint64_t xmin() const { return xmin_; }  // every older one has ended
  uint64_t xmax() const { return xmax_; }  // this one, and any newer, had not begun

 private:
  uint64_t xmin_ = 0;
  uint64_t xmax_ = 0;
  std::vector<uint64_t> in_progress_;  // sorted
};

}  // namespace searchsync::capture
