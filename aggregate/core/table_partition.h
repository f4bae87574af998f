#pragma once

// One partition of an event topic, folded into the same partition of the table's topic: which rows
// are to be written, and how far the events may be committed with them.
//
// Pure: no clock, no socket, no thread. The caller reads the rows that the table has, then events,
// and writes what flush() gives, with the offset, in one Kafka transaction: after that is committed
// flushed() is called, and if it is not, or nobody knows, the object is thrown away and another
// takes up the partition. See docs/decisions/0007-aggregates.md.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregate/core/definition.h"
#include "aggregate/core/event.h"
#include "aggregate/core/group.h"
#include "aggregate/core/group_table.h"
#include "aggregate/core/id_window.h"
#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/base/named.h"
#include "worker/core/store.h"

namespace searchsync::aggregate {

// A committed record of the table's topic; the views are valid during the call.
struct TableRecord {
  Offset offset;
  std::string_view key;
  std::optional<std::string_view> state;  // of the header kStateHeader
};

inline constexpr std::string_view kStateHeader = "s";

// A row that is to be written: a record of the table's topic, in this partition.
struct TableRow {
  std::string_view key;
  std::string_view value;  // JSON
  std::string_view state;  // for kStateHeader
};

// An event that cannot be counted, for the dead letters.
struct RefusedEvent {
  Offset offset;
  std::string reason;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

// What the partitions of one process share.
struct Shared {
  Memory memory;
  int64_t refused = 0;  // events, that nobody has dealt with
};

class TablePartition {
 public:
  struct Options {
    Partition partition;
    int32_t partitions = 1;  // of the events, and of the table
    model::ErrorsSpec errors;
  };

  // All references outlive it.
  TablePartition(const Definition& definition, Options options, worker::Store& store,
                 Shared& shared);

  // Where Kafka stands. Read in this order: a transaction that ends in between is in the table.
  struct LogState {
    std::string_view identity;        // of the table's topic: state of another is thrown away
    std::optional<Offset> committed;  // of the events, no transaction being under way
    Offset table_end;                 // with what is not committed: all of that is to be waited for
  };

  // Takes up the state that the store holds. Call once, first. Returns where to read the table.
  Offset start(const LogState& log);
  // Rows of the table, in order. Errors: kMalformed, somebody else has written into it.
  Result<void> restore(std::span<const TableRecord> records);
  // There is no committed row before `position` that restore() has not been given.
  void restored_to(Offset position);
  bool restored() const { return applied_ >= table_end_; }
  Offset restored_until() const { return applied_; }

  // Where to read events, once it is restored, of a topic that begins at `low`. Errors: kNotFound,
  // events are gone that are not, or may not be, in the rows.
  Result<Offset> resume_at(Offset low);
  // Of the first event read: when it arrived. Where ids are to be remembered and are not known, the
  // time from which events have to be read for that: then the caller finds the first event of that
  // time, and calls rewound() with it or with any before it.
  std::optional<int64_t> rewind_to(int64_t arrived_ms) const;
  void rewound(Offset from);

  // Events, in order of offset; those before position() are left out. Stops where it halts.
  void apply(std::span<const EventRecord> events, int64_t now_ms);
  // There is no event before `position` that apply() has not been given.
  void reached(Offset position, int64_t now_ms);

  // When to call flush(), in the time that now_ms is of; nothing: there is nothing to write.
  std::optional<int64_t> due_ms() const;

  enum class Which { kDue, kAll };
  struct Flush {
    Offset next;  // to be committed
    std::span<const RefusedEvent> refused;
  };
  // Gives the rows that have waited long enough, or have a derived column that changed; or all.
  // What it returns is valid until flushed().
  Flush flush(Which which, int64_t now_ms, FunctionRef<void(const TableRow&)> row);
  // They are committed. table_end: one past the last of them; nothing: there was no row.
  void flushed(std::optional<Offset> table_end);

  Offset position() const { return position_; }    // of the next event
  Offset committed() const { return committed_; }  // up to which they are in the table
  size_t waiting() const { return pending_.size(); }
  uint64_t events() const { return events_; }
  uint64_t duplicates() const { return duplicates_; }
  size_t ids() const { return ids_ ? ids_->size() : 0; }
  // Why no more events are applied. What waits may be flushed.
  const std::optional<Error>& halted() const { return halted_; }

 private:
  // A group whose row is to be written.
  struct Pending {
    GroupTable::Entry* entry = nullptr;  // null: it has been given
    Offset first;                        // the oldest event that is in no row yet
    int64_t since_ms = 0;
  };

  bool load(const LogState& log);
  void load_ids();
  bool apply_one(const EventRecord& record, int64_t now_ms);
  bool refuse(const EventRecord& record, const Error& error);
  void halt(ErrorCode code, std::string why);
  bool at_limit() const;
  void fold(GroupTable::Entry* entry, const Event& event, Group::Change change, Offset offset,
            int64_t now_ms);
  void save_ids();
  void save_progress();

  const Definition& definition_;
  const Options options_;
  worker::Store& store_;
  Shared& shared_;
  const std::string prefix_;
  EventReader reader_;
  Group group_;
  GroupTable table_;
  std::string identity_;

  Offset applied_;           // up to which the table's rows are in the state
  Offset table_end_;         // up to which they have to be
  Offset position_;          // the next event
  Offset committed_;         // of the events
  bool from_first_ = false;  // nothing is committed
  bool has_rows_ = false;    // that were restored
  std::optional<Error> halted_;

  std::deque<Pending> pending_;   // in order of `first` and of `since_ms`
  uint64_t first_pending_ = 1;    // Entry::pinned of pending_.front()
  std::vector<uint64_t> urgent_;  // Entry::pinned of those that are to be written at once
  std::optional<int64_t> urgent_since_ms_;
  std::optional<int64_t> moved_since_ms_;  // since when events were read and are not committed
  std::vector<GroupTable::Entry*> in_flight_;
  Offset next_;  // to be committed with them
  std::vector<RefusedEvent> refused_;

  struct SavedIds {
    Offset end;
    int64_t newest_ms = 0;
  };
  std::unique_ptr<IdWindow> ids_;  // null: no event is taken for a duplicate
  bool ids_missing_ = false;
  Offset ids_from_;             // of the events whose ids are to be saved next
  std::deque<SavedIds> saved_;  // in the store

  uint64_t events_ = 0;
  uint64_t duplicates_ = 0;
  std::string state_;  // buffers
  std::string row_;
};

}  // namespace searchsync::aggregate
