#pragma once

// When a generation is complete: everything that was in the sources when it was asked for is in it.
//
// Round 0: once all snapshots are complete, the ends of the source topics are noted; what lies
// before them has to be routed. Of events that are aggregated it has to be counted first; then the
// end of the table is noted, and what lies before that has to be routed. Then the ends of the
// document log are noted; what lies before them has to be folded by the generation, and by the
// leader, whose answers go to the end of the log: so this is repeated, once for each hop that a row
// can cause (row -> child -> subscribe -> lookup ->
// ...), and bounded by the depth of the relations. A moment in which everything is folded ends it
// at once. Then all rows of a document are there, and the generation is told to write them: by a
// Begin record in each partition, which it does not commit past before every document is written.
// After that the lag must be low. One that is to take over from another must stay so for a while,
// and have no more documents refused meanwhile than were open dead letters before.
//
// The proof needs the order of reading that ObservedIndex promises.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "operator/plan/observed.h"

namespace searchsync::plan {

// Records before `end` that are not committed. Offsets that compaction emptied count too: an upper
// bound.
int64_t lag_records(const Committed& committed, const Offsets& begin, const Offsets& end);

// Whether everything from `begin` to before `end` is committed.
bool reached(const Committed& committed, const Offsets& begin, const Offsets& end);

// Whether the records at these offsets, one in each partition, are committed. -1: there is none.
bool committed_past(const Committed& committed, const Offsets& records);

// Whether capture says that it has read the whole table once.
bool snapshot_complete(const Observed& observed, const model::ObjectMeta& metadata,
                       const model::PostgresSource& source);

struct GateInput {
  const model::SearchIndex& index;
  std::span<const model::SourceBinding> bindings;  // of the generation
  const Observed& observed;
  const ObservedIndex& seen;
  const ObservedGeneration& generation;
  const ObservedGeneration* leader = nullptr;     // of its log; null: nobody, or itself
  const ObservedGeneration* incumbent = nullptr;  // from which it is to take over; null: nobody
  TimePoint now;
};

struct GateOutcome {
  GenerationNote note;  // what to remember
  enum class Waiting { kNothing, kSnapshot, kFold, kWrite, kLag } waiting = Waiting::kNothing;
  std::string message;  // what it waits for
  double progress = 0;  // 0..1
  bool begins = false;  // it is to be told to write
};

// note: of the generation, not complete. The outcome's note is complete when it is.
GateOutcome advance_gate(const GateInput& input, GenerationNote note);

// Why the generation that is declared does not answer a check as it must; empty: it answers all.
std::string failed_check(const model::ReindexSpec& spec, const ObservedIndex& seen);

}  // namespace searchsync::plan
