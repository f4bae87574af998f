#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "capture/core/ack_tracker.h"
#include "capture/core/chunk_window.h"
#include "capture/core/envelope.h"
#include "capture/core/pgoutput.h"
#include "capture/core/row_batch.h"
#include "capture/core/seams.h"
#include "capture/core/stash.h"
#include "capture/core/state.h"
#include "capture/core/xid_snapshot.h"
#include "lib/base/error.h"
#include "lib/postgres/lsn.h"

namespace searchsync::capture {

// A table as the session finds it: the plan for it is made by plan_session().
struct CapturedTable {
  std::string schema;
  std::string name;
  std::string source_name;  // "name" in the envelope
  TableState state;
};

// A chunk of a table's rows to be read, in key order, from after `after`.
struct ChunkRequest {
  uint64_t id = 0;
  size_t table = 0;
  std::vector<std::string> after;  // key values as text; empty: from the first
  size_t rows_max = 0;
};

struct ChunkRows {
  uint64_t id = 0;
  XidSnapshot snapshot;  // the one that the rows were read with
  std::vector<std::string> columns;
  std::vector<ValueType> types;
  RowBatch rows;
  bool last = false;  // no row follows
};

// What happened, for metrics.
struct TableCounters {
  uint64_t created = 0;
  uint64_t updated = 0;
  uint64_t deleted = 0;
  uint64_t read = 0;
  uint64_t truncated = 0;
  uint64_t vanished = 0;  // updates of rows that were gone when their TOAST values were asked for
};

// Turns the stream of one slot, and chunks of its tables read beside it, into records.
//
// One session: from the state that is saved, until the connection ends. Pure: no clock, socket or
// thread; everything from outside comes as an argument or through the seams. Not thread-safe.
//
// A chunk: next_chunk(), the rows are read, on_chunk(), a mark is committed through
// pg_logical_emit_message(true, kMarkPrefix, chunk_mark()), it arrives in the stream, and the rows
// that the stream did not touch in between are written.
class Engine {
 public:
  static constexpr std::string_view kMarkPrefix = "searchsync";

  struct Options {
    std::string version;  // of this program
    std::string database;
    std::string nonce;  // unlike that of any session before
    // Taken after the slot and the publication were as they are now.
    XidSnapshot barrier;
    size_t chunk_bytes = 4 << 20;
    size_t chunk_rows_first = 256;
    size_t chunk_rows_max = 4096;
    size_t stash_rows_max = 256;
    size_t stash_bytes_max = 4 << 20;
  };

  Engine(Options options, std::vector<CapturedTable> tables, const CaptureState& saved,
         Database& database, Outlet& outlet);

  // One message of the plugin. Errors: of the seams; kMalformed, kInternal.
  Result<void> on_message(std::string_view bytes, int64_t now_ms);
  // Everything committed before `end` has been handed to on_message().
  void on_keepalive(postgres::Lsn end);
  // A record appended under `token` is safe.
  void on_acknowledged(uint64_t token);
  // A snapshot that a query has just now.
  void on_snapshot(const XidSnapshot& snapshot);
  // Whether somebody should take one.
  bool wants_snapshot() const;

  // The next chunk to read, if there is one and none is under way.
  std::optional<ChunkRequest> next_chunk();
  // Whether the chunk is good, and its mark may be written. If not, next_chunk() offers it again.
  Result<bool> on_chunk(ChunkRows chunk);
  // The table cannot be read: it is no longer captured.
  void on_chunk_failed(uint64_t id, const Error& error);
  std::string chunk_mark(uint64_t id) const;

  // Up to here everything is done; what `tables` say holds there.
  const CaptureState& state() const { return committed_; }
  // Every transaction that committed before has all its records acknowledged. Unlike what is in
  // state(), queries of the database may not see them yet.
  postgres::Lsn acknowledged_through();
  // Transactions that are not done.
  size_t transactions() const { return tracker_.size(); }
  bool in_transaction() const { return tracker_.receiving(); }
  // The number of the transaction received last: the token of its records.
  uint64_t newest_transaction() const { return tracker_.newest(); }
  // Where the newest transaction received committed.
  int64_t commit_time_us() const { return begin_.commit_us; }

  size_t tables() const { return tables_.size(); }
  const CapturedTable& table(size_t index) const { return tables_[index].captured; }
  const TableCounters& counters(size_t index) const { return tables_[index].counters; }
  // "schema.table: reason" of each table that is not captured any more.
  std::vector<std::string> stopped() const;

 private:
  struct Table {
    CapturedTable captured;  // its state is that at the end of what was received
    SourceBlock source;
    bool behind_barrier = false;
    double bytes_per_row = 0;  // of its snapshot chunks; 0: not known
    TableCounters counters;
  };
  struct Chunk {
    ChunkRequest request;
    // Delivered before the chunk was asked for, so that the window knows nothing of them: the rows
    // are good only if their snapshot saw them all.
    std::vector<uint32_t> must_see;
    ChunkWindow window;
    std::optional<ChunkRows> rows;
    RowForm form;
  };

  // engine.cc
  Result<void> on_commit(const pgoutput::Commit& commit);
  Result<void> on_relation(const pgoutput::Relation& relation);
  std::string key_fault(const Table& table, const pgoutput::Relation& relation) const;
  void pop_done();
  void table_changed(size_t table);  // the current transaction carries its new state
  void stop(size_t table, std::string reason);
  Position next_position(size_t table);
  const RowForm* form_of(uint32_t relation) const;

  // engine_changes.cc
  Result<void> on_insert(const pgoutput::Insert& insert);
  Result<void> on_update(const pgoutput::Update& update);
  Result<void> on_delete(const pgoutput::Delete& removed);
  Result<void> on_truncate(const pgoutput::Truncate& truncate);
  Result<void> write_insert(const RowForm& form, pgoutput::Tuple after);
  Result<void> write_update(const RowForm& form, pgoutput::OldForm old_form, pgoutput::Tuple before,
                            pgoutput::Tuple after);
  Result<void> write_delete(const RowForm& form, pgoutput::OldForm old_form,
                            pgoutput::Tuple before);
  Result<void> write_row(const RowForm& form, Op op, pgoutput::Tuple before, pgoutput::Tuple after);
  Result<void> stash_if_needed(bool& stashed, const RowForm& form, Stash::Change change);
  Result<void> flush_stash();
  Result<void> write_stashed(size_t index, const Stash::Completion& completion);
  Result<void> delete_key(size_t table, std::string_view key, Position position);
  Result<void> append(size_t table, std::string_view key, std::optional<std::string_view> value);
  void touch(size_t table, std::string_view key);
  SourceBlock::Facts facts(Position position, bool snapshot) const;

  // engine_snapshot.cc
  Result<void> on_mark(std::string_view content);
  Result<void> write_chunk_row(Chunk& chunk, size_t row, Position position);
  Result<void> sweep(size_t table, Position position);
  std::optional<size_t> marked_table(std::string_view content) const;
  size_t chunk_rows(const Table& table) const;

  const Options options_;
  Database& database_;
  Outlet& outlet_;
  std::vector<Table> tables_;
  CaptureState committed_;
  AckTracker tracker_;
  std::map<std::pair<std::string, std::string>, size_t> tables_by_name_;
  std::unordered_map<uint32_t, RowForm> forms_;  // of relations that are captured
  pgoutput::Decoder decoder_;
  pgoutput::Begin begin_;
  postgres::Lsn sent_end_;  // what was committed before has been received
  postgres::Lsn acknowledged_through_;
  int64_t now_ms_ = 0;
  Stash stash_;

  std::optional<Chunk> chunk_;
  uint64_t chunks_ = 0;
  bool snapshot_needed_ = false;  // before another chunk is offered

  // Reused from row to row.
  std::vector<pgoutput::Cell> completed_;
  std::vector<pgoutput::Cell> cells_;
  std::string key_;
  std::string old_key_;
  std::string before_;
  std::string after_;
  std::string value_;
};

}  // namespace searchsync::capture
