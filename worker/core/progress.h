#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/named.h"

namespace searchsync::worker {

// How far a generation is with its documents.
enum class FirstPass : uint8_t {
  kFolding,  // records are applied and nothing is written
  kWriting,  // every document is written, in order of key
  kDone,     // what is touched is written
};

// How far a partition has come.
struct Progress {
  Offset applied;  // the next offset to apply
  Generation leader{1};
  int64_t yielded_ms = 0;  // when the lead last went to another generation; 0: never
  uint64_t next_batch = 1;
  int64_t began_ms = 0;   // when the fold began, at the start of the log
  int64_t newest_ms = 0;  // up to when it has applied all there was
  bool whole = true;      // no record was missing so far: nothing had been compacted
  // The first pass folds up to both of these.
  Offset silent_until;             // the end of the log, when nothing was known of it
  std::optional<Offset> begun_at;  // of the Begin record; nothing: not read yet
  FirstPass first_pass = FirstPass::kFolding;
  std::string cursor;  // kWriting: the last root that was written
};

// log: the identity of the log.
std::string encode_progress(const Progress& progress, std::string_view log);
// Nothing if it is of another log.
std::optional<Progress> decode_progress(std::string_view bytes, std::string_view log);

}  // namespace searchsync::worker
