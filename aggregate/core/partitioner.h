#pragma once

#include <cstdint>
#include <string_view>

namespace searchsync::aggregate {

// The partition that Kafka's own clients choose for a key, out of `partitions`.
// Source: org.apache.kafka.common.utils.Utils.murmur2, BuiltInPartitioner.partitionForKey.
int32_t partition_of_key(std::string_view key, int32_t partitions);

}  // namespace searchsync::aggregate
