#pragma once

#include <compare>
#include <string>

#include "lib/base/named.h"

namespace searchsync::kafka {

struct TopicPartition {
  std::string topic;
  Partition partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// A place in a partition. As something to commit it is the next offset to read: one past the last
// record that is done, and may have a note, which Kafka keeps with it.
struct TopicOffset {
  std::string topic;
  Partition partition;
  Offset offset;
  std::string note = {};
  friend auto operator<=>(const TopicOffset&, const TopicOffset&) = default;
};

// "topic bug-db.public.bugs partition 3"
std::string to_string(const TopicPartition& partition);

}  // namespace searchsync::kafka
