#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capture/core/engine.h"
#include "capture/core/state.h"
#include "lib/postgres/lsn.h"

namespace searchsync::capture {

// A table as the database and Kafka have it now.
struct TableFacts {
  std::string schema;
  std::string name;
  std::string topic;
  std::vector<std::string> key_columns;  // in key order
  std::string form;                      // FormHash
  TableMake make;
  std::set<std::string> filled;  // of make.partitions: those that may have rows
  // The highest epoch of a record in its topic, 0 if no record has one; nullopt: the topic is
  // empty. Only asked for where the saved state does not know the table.
  std::optional<uint64_t> topic_epoch;
};

struct SlotFacts {
  bool exists = false;
  bool lost = false;  // the server removed WAL that it still needed
  postgres::Lsn confirmed;
};

struct SessionFacts {
  std::string capture_name;
  std::string system_id;
  uint32_t timeline = 0;
  postgres::Lsn written;  // the end of the server's WAL
  SlotFacts slot;
  bool publication_exists = false;
  std::vector<TableFacts> tables;
};

// With what a session starts.
struct SessionPlan {
  // Not empty: why the slot has to be made anew. Then every table begins a new epoch.
  std::string new_slot_reason;
  std::vector<CapturedTable> tables;
  CaptureState state;  // what has to be saved before the first record; `flushed` is to be set to
                       // the new slot's place, if it is new
  std::vector<std::string> notes;  // for people: what begins anew and why
};

// Pure: the same facts give the same plan. `saved`: nullopt if nothing was ever saved, or it is
// lost.
SessionPlan plan_session(const std::optional<CaptureState>& saved, const SessionFacts& facts);

}  // namespace searchsync::capture
