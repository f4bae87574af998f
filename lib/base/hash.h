#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace searchsync {

// A 64-bit hash whose value is part of what we store: partitions and names are derived from it, so
// it never changes. Not for data that an adversary chooses. Source: FNV-1a, finished with the
// 64-bit mixer of MurmurHash3.
uint64_t stable_hash(std::string_view bytes, uint64_t seed = 0);

// The first `digits` (1..16) lowercase hex digits of stable_hash, for names.
std::string stable_hash_hex(std::string_view bytes, int digits);

}  // namespace searchsync
