#include "lib/kafka/assignment.h"

namespace searchsync::kafka {

void Assignment::add(const TopicPartition& partition, Offset from) {
  last_floor_ = nullptr;
  floors_[partition] = from;
}

void Assignment::remove(const TopicPartition& partition) {
  last_floor_ = nullptr;
  floors_.erase(partition);
}

void Assignment::clear() {
  last_floor_ = nullptr;
  floors_.clear();
}

bool Assignment::move(const TopicPartition& partition, Offset to) {
  const auto found = floors_.find(partition);
  if (found == floors_.end()) return false;
  found->second = to;
  return true;
}

std::optional<Offset> Assignment::next(const TopicPartition& partition) const {
  const auto found = floors_.find(partition);
  return found == floors_.end() ? std::nullopt : std::optional(found->second);
}

bool Assignment::admit(const rd_kafka_topic_s* topic_handle, std::string_view topic,
                       Partition partition, Offset offset) {
  if (!last_floor_ || topic_handle != last_topic_ || partition != last_partition_) {
    const auto found = floors_.find(Key{topic, partition});
    if (found == floors_.end()) return false;
    last_topic_ = topic_handle;
    last_partition_ = partition;
    last_floor_ = &found->second;
  }
  if (offset < *last_floor_) return false;
  *last_floor_ = Offset(offset.get() + 1);
  return true;
}

std::vector<TopicPartition> Assignment::partitions() const {
  std::vector<TopicPartition> all;
  all.reserve(floors_.size());
  for (const auto& [partition, floor] : floors_) all.push_back(partition);
  return all;
}

}  // namespace searchsync::kafka
