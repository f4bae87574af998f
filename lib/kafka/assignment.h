#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/kafka/topic.h"

struct rd_kafka_topic_s;

namespace searchsync::kafka {

// The partitions a consumer may deliver from, and how far each has been delivered: whatever
// librdkafka hands out besides is stale and is refused. Internal to this folder.
class Assignment {
 public:
  // `from`: nothing before it is delivered.
  void add(const TopicPartition& partition, Offset from);
  void remove(const TopicPartition& partition);
  void clear();

  bool contains(const TopicPartition& partition) const { return floors_.contains(partition); }
  // The lowest offset still to be delivered; nothing if the partition is not ours.
  std::optional<Offset> next(const TopicPartition& partition) const;
  // The next record delivered of the partition is at `to` or after. False if it is not ours.
  bool move(const TopicPartition& partition, Offset to);

  // Whether a record at `offset` is to be delivered; if so, only later ones are from now on.
  // `topic_handle` identifies the topic as long as the assignment stays as it is: it saves looking
  // up the name for each record of a run.
  bool admit(const rd_kafka_topic_s* topic_handle, std::string_view topic, Partition partition,
             Offset offset);

  std::vector<TopicPartition> partitions() const;  // sorted

 private:
  using Key = std::pair<std::string_view, Partition>;
  struct Less {
    using is_transparent = void;
    static Key key(const TopicPartition& p) { return {p.topic, p.partition}; }
    static Key key(const Key& k) { return k; }
    bool operator()(const auto& a, const auto& b) const { return key(a) < key(b); }
  };

  std::map<TopicPartition, Offset, Less> floors_;  // the lowest offset still to be delivered
  // The last lookup, forgotten when partitions come or go.
  const rd_kafka_topic_s* last_topic_ = nullptr;
  Partition last_partition_;
  Offset* last_floor_ = nullptr;
};

}  // namespace searchsync::kafka
