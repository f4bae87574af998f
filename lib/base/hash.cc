#include "lib/base/hash.h"

#include "lib/base/check.h"

namespace searchsync {

uint64_t stable_hash(std::string_view bytes, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3ULL;
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ULL;
  hash ^= hash >> 33;
  return hash;
}

std::string stable_hash_hex(std::string_view bytes, int digits) {
  CHECK(digits >= 1 && digits <= 16);
  return fmt::format("{:016x}", stable_hash(bytes)).substr(0, static_cast<size_t>(digits));
}

}  // namespace searchsync
