#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/postgres/lsn.h"

namespace searchsync::capture {

// The order of truth of the records of one key: of two, the one with the higher position is newer.
// See docs/decisions/0001-capture-positions.md.
struct Position {
  uint64_t epoch = 0;
  uint64_t lsn = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

enum class SnapshotPhase { kRunning, kDone };

// How a table is made, of which the stream says nothing: an ALTER TABLE writes no rows to the log,
// whatever it changes in them. Empty texts: not known.
struct TableMake {
  std::string oid;      // another one: a table that was made anew under the name
  std::string columns;  // a hash of their places, names and types
  // Both change with an ALTER TABLE that rewrites the rows, and not both with anything else.
  std::string file;
  std::string alterations;
  // Where the rows of a partitioned table are, "<oid>:<file>" of each partition: what is attached,
  // detached, dropped or truncated by itself is in no log.
  std::set<std::string> partitions;

  friend bool operator==(const TableMake&, const TableMake&) = default;
};

// What has been done for a table, up to CaptureState::flushed.
struct TableState {
  std::string topic;
  uint64_t epoch = 1;
  uint64_t floor = 0;                    // the highest lsn that a record of this epoch has
  std::vector<std::string> key_columns;  // in key order
  std::string form;                      // a hash of its columns' names and types; empty: unknown
  SnapshotPhase phase = SnapshotPhase::kRunning;
  std::vector<std::string> last_key;  // rows up to this key are in the topic; empty: none
  uint64_t rows = 0;                  // of the snapshot, so far
  bool sweep = false;   // the topic has keys of an earlier epoch: those not seen again are deleted
  bool left = false;    // no longer captured; if it comes back, it begins a new epoch
  std::string stopped;  // why it is not captured; the same then
  TableMake make;       // as of the last look at it

  friend bool operator==(const TableState&, const TableState&) = default;
};

// What survives us: one small JSON document in a compacted topic. Everything before `flushed` is in
// the topics and acknowledged, and every transaction before it is visible to queries.
struct CaptureState {
  std::string system_id;
  uint32_t timeline = 0;
  postgres::Lsn flushed;
  std::map<std::string, TableState> tables;  // by "schema.table"

  friend bool operator==(const CaptureState&, const CaptureState&) = default;
};

std::string to_json(const CaptureState& state);
// Errors: kMalformed; kUnsupported if a newer version of us wrote it.
Result<CaptureState> parse_state(std::string_view json);

}  // namespace searchsync::capture
