#pragma once

// What the planner asks the world to remember of its own doings. Kept where the world keeps things
// (a file, a status subresource). Losing notes costs time, never correctness: a generation passes
// its gate again, a Lead or Begin record is sent again, an old generation is kept warm anew.

#include <chrono>
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

// Who leads a document log: written as the log is made, then with each Lead record sent.
struct LeadNote {
  Generation generation;
  // Where the record is, by partition. -1: there is none, generation 1 leads from the beginning.
  // Empty: it may have been sent to some partitions, or none.
  Offsets offsets;
  // Generations that led before and are not yet seen to have committed past it.
  std::set<Generation> draining;
  friend bool operator==(const LeadNote&, const LeadNote&) = default;
};

// See gate.h.
struct GateNote {
  int round = 0;
  std::map<std::string, Offsets> sources;  // round 0: to be routed
  Offsets log;                             // later rounds: to be folded
  // After the rounds: where the Begin record is, by partition. Empty: it may have been sent to some
  // partitions, or none.
  Offsets begin;
  friend bool operator==(const GateNote&, const GateNote&) = default;
};

struct GenerationNote {
  Generation generation;
  std::optional<GateNote> gate;
  std::optional<TimePoint> caught_up_since;
  bool complete = false;                // it passed its gate once, and has been folded since
  bool served = false;                  // the alias was on it once
  std::optional<TimePoint> retired_at;  // since when it is kept warm only
  friend bool operator==(const GenerationNote&, const GenerationNote&) = default;
};

struct IndexNotes {
  // As last acted upon: what to reach, and what to delete, once it is declared no longer.
  std::optional<model::SearchIndex> declared;
  std::map<std::string, LeadNote> leads;             // by document log
  std::map<std::string, Generation> generation_max;  // by document log: the highest ever given
  std::map<IndexName, GenerationNote> generations;
  friend bool operator==(const IndexNotes&, const IndexNotes&) = default;
};

}  // namespace searchsync::plan
