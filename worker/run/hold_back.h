#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "lib/base/error.h"
#include "lib/kafka/consumer.h"

namespace searchsync::worker {

// Keeps the place in its group of a consumer whose records cannot be taken. Without polling the
// group would give its partitions away: after a while they are paused, so that polling brings
// nothing but news of the group.
class HoldBack {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // assignments: how many partitions there have been so far, for new ones are to be paused as well.
  // True: it is time to poll. Of a partition that the group gives us then, records may come before
  // the next call.
  Result<bool> hold(kafka::Consumer& consumer, Time now, uint64_t assignments);
  // They can be taken again. True: partitions were paused, and are no longer.
  Result<bool> let_go(kafka::Consumer& consumer);

 private:
  std::optional<Time> since_;
  std::optional<uint64_t> paused_;  // the assignments until then
};

}  // namespace searchsync::worker
