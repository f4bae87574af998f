#include "lib/kafka/topic.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <cstring>

#include "lib/kafka/partition_list.h"

namespace searchsync::kafka {

std::string to_string(const TopicPartition& partition) {
  return fmt::format("topic {} partition {}", partition.topic, partition.partition.get());
}

PartitionList to_list(std::span<const TopicPartition> partitions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& each : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), each.topic.c_str(), each.partition.get());
  }
  return list;
}

PartitionList to_list(std::span<const TopicOffset> offsets) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& each : offsets) {
    auto* const added =
        rd_kafka_topic_partition_list_add(list.get(), each.topic.c_str(), each.partition.get());
    added->offset = each.offset.get();
    if (each.note.empty()) continue;
    added->metadata = strdup(each.note.c_str());  // the list frees it
    added->metadata_size = each.note.size();
  }
  return list;
}

std::vector<TopicPartition> from_list(const rd_kafka_topic_partition_list_s& list) {
  std::vector<TopicPartition> partitions;
  partitions.reserve(static_cast<size_t>(list.cnt));
  for (const auto& each : std::span(list.elems, static_cast<size_t>(list.cnt))) {
    partitions.push_back({each.topic, Partition(each.partition)});
  }
  return partitions;
}

}  // namespace searchsync::kafka
