#include "aggregate/core/partitioner.h"

namespace searchsync::aggregate {
namespace {

uint32_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

uint32_t murmur2(std::string_view bytes) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  uint32_t hash = 0x9747b28c ^ static_cast<uint32_t>(bytes.size());
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    uint32_t word = byte_at(bytes, 0) | byte_at(bytes, 1) << 8 | byte_at(bytes, 2) << 16 |
                    byte_at(bytes, 3) << 24;
    word *= kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  if (!bytes.empty()) {
    for (size_t i = bytes.size(); i-- > 0;) hash ^= byte_at(bytes, i) << 8 * i;
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

}  // namespace

int32_t partition_of_key(std::string_view key, int32_t partitions) {
  return static_cast<int32_t>(murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace searchsync::aggregate
