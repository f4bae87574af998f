#pragma once

#include <span>
#include <vector>

#include "lib/kafka/handle.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {

// Conversions between our lists of partitions and librdkafka's. Internal to this folder.
using PartitionList = Handle<rd_kafka_topic_partition_list_s>;

PartitionList to_list(std::span<const TopicPartition> partitions);
PartitionList to_list(std::span<const TopicOffset> offsets);
std::vector<TopicPartition> from_list(const rd_kafka_topic_partition_list_s& list);

}  // namespace searchsync::kafka
