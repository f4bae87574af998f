#pragma once

#include <chrono>
#include <span>

#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/base/named.h"
#include "lib/kafka/client.h"
#include "lib/kafka/poll_batch.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {

// The records of a partition from `begin` up to, and without, `end`.
struct OffsetRange {
  TopicPartition partition;
  Offset begin;
  Offset end;
};

enum class Reading { kGoesOn, kIsEnough };

// Visits what is in the ranges, once: records of one partition in their order, partitions mixed.
// What is no longer there is passed over. Blocks until all is visited, or `visit` says that it is
// enough. No two ranges are of one partition.
//
// Errors: kTimeout if nothing comes for as long as `silence`; those of Consumer::poll.
Result<void> read_ranges(const ClientConfig& config, std::span<const OffsetRange> ranges,
                         std::chrono::milliseconds silence,
                         FunctionRef<Reading(const Message&)> visit);

}  // namespace searchsync::kafka
