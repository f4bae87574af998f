#pragma once

// How far behind in time a worker is with one partition.

#include <cstdint>
#include <deque>
#include <optional>

#include "lib/base/named.h"

namespace searchsync::worker {

class Lag {
 public:
  // Records up to before `end` are under way. timestamp_ms: of the first, since 1970.
  void took(Offset end, int64_t timestamp_ms);
  // For now there is nothing behind what was taken.
  void at_end();

  // The age of the oldest record that is not done; 0: all are. done: what comes before it is; never
  // less than in an earlier call. Nothing: it is not known yet.
  std::optional<double> seconds(Offset done, int64_t now_ms);

 private:
  struct Taken {
    Offset end;
    int64_t timestamp_ms = 0;
  };

  std::deque<Taken> under_way_;
  std::optional<int64_t> newest_;  // the time of what was taken last, if more may come behind it
  bool known_ = false;
};

}  // namespace searchsync::worker
