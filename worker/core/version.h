#pragma once

#include <cstdint>

#include "lib/base/check.h"
#include "lib/base/named.h"

namespace searchsync::worker {

inline constexpr int kOffsetBits = 48;
inline constexpr int32_t kGenerationMax = (1 << 15) - 1;  // versions are signed 64-bit integers

// The version a document is written with: the generation of its index, and the offset in the
// document log up to which the state it was built from had been folded. Whoever writes a version
// writes the same document with it, so the newest version is the newest state, whoever comes last:
// a replay, a duplicate or a paused process that wakes up cannot write an older state over a newer
// one. Source: Elasticsearch, "Index API", versioning with version_type=external_gte.
inline int64_t document_version(Generation generation, Offset folded) {
  CHECK(generation.get() > 0 && generation.get() <= kGenerationMax);
  CHECK(folded.get() >= 0 && folded.get() < int64_t{1} << kOffsetBits);
  return static_cast<int64_t>(generation.get()) << kOffsetBits | folded.get();
}

}  // namespace searchsync::worker
