#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/named.h"

namespace searchsync::worker {

// Where a new generation is in its first pass over the log.
enum class Rebuild : uint8_t {
  kNone,     // it is done, or was not needed
  kFolding,  // records are applied and nothing is written
  kWriting,  // every document is written, in order of key
};

// How far a partition has come.
struct Progress {
  Offset applied;  // the next offset to apply
  Generation leader{1};
  uint64_t next_batch = 1;
  int64_t began_ms = 0;   // when the fold began, at the start of the log
  int64_t newest_ms = 0;  // up to when it has applied all there was
  bool whole = true;      // no record was missing so far: nothing had been compacted
  Offset silent_until;    // end of the first pass
  Rebuild rebuild = Rebuild::kNone;
  std::string rebuild_cursor;  // the last root that was written
};

// log: the identity of the log.
std::string encode_progress(const Progress& progress, std::string_view log);
// Nothing if it is of another log.
std::optional<Progress> decode_progress(std::string_view bytes, std::string_view log);

}  // namespace searchsync::worker
