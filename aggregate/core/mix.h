#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "aggregate/core/varint.h"

namespace searchsync::aggregate {

// Both halves of the product, folded.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// 128 bits of a text, quickly. Not for what is kept longer than a state on disk, which is only a
// cache: it may change with any version. Two texts that are not alike by design do not meet.
inline std::pair<uint64_t, uint64_t> hash128(std::string_view text) {
  constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xc2b2ae3d27d4eb4f, kC = 0x165667b19e3779f9;
  uint64_t a = kA ^ text.size(), b = kB;
  const auto step = [&](uint64_t low, uint64_t high) {
    a = mix(a ^ low, kC ^ high);
    b = mix(b + high, kB ^ low) + a;
  };
  while (text.size() > 16) {
    uint64_t words[2];
    std::memcpy(words, text.data(), 16);
    step(words[0], words[1]);
    text.remove_prefix(16);
  }
  uint64_t words[2] = {};
  if (!text.empty()) std::memcpy(words, text.data(), text.size());
  step(words[0], words[1]);
  return {mix(a ^ kB, kA), mix(b ^ a, kC)};
}

}  // namespace searchsync::aggregate
