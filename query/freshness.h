#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/time_text.h"

namespace searchsync::query {

// How far the documents are behind what is in Kafka: how it is computed, without reading Kafka.
//
// A change is in a source's topic; then the workers have handed it to the document log, and commit
// that; then it is folded and every document that it changes is acknowledged by the engine, and
// they commit that. What is read of Kafka is read in the opposite order: first what is committed,
// then the ends. So whatever is not said to be missing was in the index when the reading began;
// what came meanwhile counts as missing.

// One partition that somebody reads.
struct PartitionProgress {
  int64_t begin = 0;                 // the first offset there is
  int64_t end = 0;                   // the next one to be written
  std::optional<int64_t> committed;  // none: nothing yet
  std::optional<int64_t> oldest_ms;  // time of the first record that is missing; of the reading
};

// Where reading of a partition would go on, and whether there is anything.
int64_t next_offset(const PartitionProgress& partition);
bool is_behind(const PartitionProgress& partition);

struct Lag {
  int64_t records = 0;
  // Age of the oldest record that is missing: 0 if none is; none: not known.
  std::optional<int64_t> millis = 0;
};
Lag lag_of(std::span<const PartitionProgress> partitions, int64_t now_ms);

struct SourceProgress {
  std::string binding;
  std::string topic;
  std::vector<PartitionProgress> partitions;  // empty: there is no such topic
};

struct Progress {
  std::chrono::sys_seconds at;
  int64_t now_ms = 0;
  std::string index;  // the concrete one
  std::vector<PartitionProgress> document_log;
  std::vector<SourceProgress> sources;
};

// {"at", "index", "documentLog": {"recordsBehind", "behindMs"},
//  "sources": [{"binding", "topic", "recordsBehind", "behindMs"}]}
//
// A source's recordsBehind are records of its topic that are not in the document log yet. Its
// behindMs is the age of the oldest change of it that may not be in the index: in its topic, or in
// the document log, whose records are of all sources. 0: all is there. null: not known.
std::string render(const Progress& progress);

// {"at", "unknown": why}
std::string render_unknown(std::chrono::sys_seconds at, std::string_view why);

}  // namespace searchsync::query
