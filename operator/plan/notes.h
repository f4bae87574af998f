#pragma once

// What the planner asks the world to remember of its own doings. Kept where the world keeps things
// (a file, a status subresource). Losing notes costs time, never correctness: a generation passes
// its gate again, a Lead or Begin record is sent again, an old generation is kept warm anew.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::plan {

using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;
using Offsets = std::vector<Offset>;  // by partition

// Of an index, what can be changed in place and is declared, or ours to choose.
struct IndexSettings {
  int32_t replicas = 0;
  std::chrono::milliseconds refresh_interval{0};  // kNeverRefreshed: never
  std::chrono::milliseconds gc_deletes{0};
  friend bool operator==(const IndexSettings&, const IndexSettings&) = default;
};

// The refresh interval of an index that is being built: nobody reads it.
inline constexpr std::chrono::milliseconds kNeverRefreshed{-1};

// Who leads a document log: written as the log is made, then with each Lead record sent.
struct LeadNote {
  Generation generation;
  // Where the record is, by partition. -1: there is none, generation 1 leads from the beginning.
  // Empty: it may have been sent to some partitions, or none.
  Offsets offsets;
  // Generations that led before and are not yet seen to have committed past it.
  std::set<Generation> draining;
  TimePoint sent_at{};  // no later than the record
  friend bool operator==(const LeadNote&, const LeadNote&) = default;
};

// See gate.h.
struct GateNote {
  int round = 0;
  // Round 0: by table, the ends of its events, to be counted; then the table is among `sources`.
  std::map<std::string, Offsets> tables;
  std::map<std::string, Offsets> sources;  // round 0: to be routed
  Offsets log;                             // later rounds: to be folded
  // After the rounds: where the Begin record is, by partition. Empty: it may have been sent to some
  // partitions, or none.
  Offsets begin;
  int64_t refused = 0;  // after the rounds: open dead letters of whole documents before they began
  friend bool operator==(const GateNote&, const GateNote&) = default;
};

struct GenerationNote {
  Generation generation;
  std::string document_log;
  std::optional<GateNote> gate;
  std::optional<TimePoint> caught_up_since;
  bool complete = false;                // it passed its gate once, and has been folded since
  bool served = false;                  // the alias was on it once
  std::optional<TimePoint> retired_at;  // since when it is kept warm only
  // As they were declared, and seen to be, at once. While the same is declared, others are somebody
  // else's doing. Nothing: not known, or about to be changed.
  std::optional<IndexSettings> settings;
  // content_of() its recipe, where its name need not say it: see renew.h; empty: it does.
  std::string content = {};
  friend bool operator==(const GenerationNote&, const GenerationNote&) = default;
};

// See autoscale.h.
struct ScaleNote {
  std::optional<TimePoint> fewer_since;  // fewer workers have been enough since then
  int32_t fewer_most = 0;                // the most that were needed since then
  friend bool operator==(const ScaleNote&, const ScaleNote&) = default;
};

struct IndexNotes {
  // As last acted upon: what to reach, and what to delete, once it is declared no longer.
  std::optional<model::SearchIndex> declared;
  std::map<std::string, LeadNote> leads;             // by document log
  std::map<std::string, Generation> generation_max;  // by document log: the highest ever given
  std::map<IndexName, GenerationNote> generations;
  std::map<IndexName, ScaleNote> scaling;  // of generations whose workers may become fewer
  // Where the alias was last, rightly, and where it is about to be moved, if anywhere. On any other
  // index somebody else has put it.
  std::optional<IndexName> serving;
  std::optional<IndexName> moving_to;
  friend bool operator==(const IndexNotes&, const IndexNotes&) = default;
};

}  // namespace searchsync::plan
