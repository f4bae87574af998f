#include "capture/core/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/hash.h"

namespace searchsync::capture {

Engine::Engine(Options options, std::vector<CapturedTable> tables, const CaptureState& saved,
               Database& database, Outlet& outlet)
    : options_(std::move(options)), database_(database), outlet_(outlet), committed_(saved) {
  for (CapturedTable& table : tables) {
    const TableState& state = table.state;
    committed_.tables[table.schema + "." + table.name] = state;
    tables_by_name_[{table.schema, table.name}] = tables_.size();
    // A chunk that is done proves that the barrier was passed.
    const bool behind_barrier = state.phase == SnapshotPhase::kRunning && state.last_key.empty();
    SourceBlock source(options_.version, table.source_name, options_.database, table.schema,
                       table.name);
    tables_.push_back({.captured = std::move(table),
                       .source = std::move(source),
                       .behind_barrier = behind_barrier,
                       .bytes_per_row = 0,
                       .counters = {}});
  }
}

Result<void> Engine::on_message(std::string_view bytes, int64_t now_ms) {
  now_ms_ = now_ms;
  ASSIGN_OR_RETURN(const pgoutput::Message message, decoder_.decode(bytes));
  const bool begins = std::holds_alternative<pgoutput::Begin>(message);
  const bool ignored = std::holds_alternative<pgoutput::Ignored>(message);
  const auto* logical = std::get_if<pgoutput::LogicalMessage>(&message);
  if (ignored || (logical != nullptr && !logical->transactional)) return {};
  if (begins == tracker_.receiving()) {
    return fail(ErrorCode::kInternal,
                "pgoutput: a change outside of a transaction, or a "
                "transaction inside of another");
  }
  return std::visit(
      [&]<class M>(const M& m) -> Result<void> {
        if constexpr (std::is_same_v<M, pgoutput::Begin>) {
          begin_ = m;
          tracker_.begin(m.xid);
          return {};
        } else if constexpr (std::is_same_v<M, pgoutput::Commit>) {
          return on_commit(m);
        } else if constexpr (std::is_same_v<M, pgoutput::Relation>) {
          return on_relation(m);
        } else if constexpr (std::is_same_v<M, pgoutput::Insert>) {
          return on_insert(m);
        } else if constexpr (std::is_same_v<M, pgoutput::Update>) {
          return on_update(m);
        } else if constexpr (std::is_same_v<M, pgoutput::Delete>) {
          return on_delete(m);
        } else if constexpr (std::is_same_v<M, pgoutput::Truncate>) {
          return on_truncate(m);
        } else if constexpr (std::is_same_v<M, pgoutput::LogicalMessage>) {
          return m.prefix == kMarkPrefix ? on_mark(m.content) : Result<void>{};
        } else {
          return {};
        }
      },
      message);
}

Result<void> Engine::on_commit(const pgoutput::Commit& commit) {
  RETURN_IF_ERROR(flush_stash());
  tracker_.commit(commit.end_lsn);
  pop_done();
  return {};
}

void Engine::on_keepalive(postgres::Lsn end) {
  sent_end_ = std::max(sent_end_, end);
  pop_done();
}

void Engine::on_acknowledged(uint64_t token) {
  tracker_.acknowledged(token);
  pop_done();
}

void Engine::on_snapshot(const XidSnapshot& snapshot) {
  snapshot_needed_ = false;
  for (Table& table : tables_) {
    if (snapshot.xmin() >= options_.barrier.xmax()) table.behind_barrier = false;
  }
  tracker_.seen_by(snapshot);
  pop_done();
}

bool Engine::wants_snapshot() const {
  const auto waits = [](const Table& table) { return table.behind_barrier; };
  return snapshot_needed_ || tracker_.waits_for_visibility() || std::ranges::any_of(tables_, waits);
}

void Engine::pop_done() {
  tracker_.pop_done([&](const AckTracker::Transaction& transaction) {
    committed_.flushed = std::max(committed_.flushed, transaction.end);
    const auto saved = [&](size_t table) -> TableState& {
      const CapturedTable& captured = tables_[table].captured;
      return committed_.tables[captured.schema + "." + captured.name];
    };
    for (const auto& [table, state] : transaction.changes) {
      const uint64_t floor = saved(table).floor;
      saved(table) = state;
      saved(table).floor = floor;
    }
    for (const auto& [table, lsn] : transaction.floors) saved(table).floor = lsn;
  });
  // The server says this once: it must not be forgotten because something was not done yet then.
  if (tracker_.empty()) committed_.flushed = std::max(committed_.flushed, sent_end_);
}

postgres::Lsn Engine::acknowledged_through() {
  acknowledged_through_ = std::max({acknowledged_through_, committed_.flushed,
                                    tracker_.acknowledged_end().value_or(postgres::Lsn())});
  if (tracker_.all_acknowledged()) {
    acknowledged_through_ = std::max(acknowledged_through_, sent_end_);
  }
  return acknowledged_through_;
}

void Engine::table_changed(size_t table) {
  tracker_.current().changes.emplace_back(table, tables_[table].captured.state);
}

Position Engine::next_position(size_t table) {
  TableState& state = tables_[table].captured.state;
  state.floor = std::max(begin_.commit_lsn.get(), state.floor + 1);
  auto& floors = tracker_.current().floors;
  const auto mine = std::ranges::find(floors, table, &AckTracker::Floor::table);
  if (mine == floors.end()) {
    floors.push_back({table, state.floor});
  } else {
    mine->lsn = state.floor;
  }
  return {state.epoch, state.floor};
}

void Engine::stop(size_t table, std::string reason) {
  TableState& state = tables_[table].captured.state;
  if (!state.stopped.empty()) return;
  state.stopped = std::move(reason);
  std::erase_if(forms_, [&](const auto& entry) { return entry.second.table == table; });
  if (chunk_ && chunk_->request.table == table) chunk_.reset();
  if (tracker_.receiving()) {
    table_changed(table);
  } else {
    const CapturedTable& captured = tables_[table].captured;
    committed_.tables[captured.schema + "." + captured.name].stopped = state.stopped;
  }
}

std::vector<std::string> Engine::stopped() const {
  std::vector<std::string> reasons;
  for (const Table& table : tables_) {
    const CapturedTable& captured = table.captured;
    if (captured.state.stopped.empty()) continue;
    reasons.push_back(
        fmt::format("{}.{}: {}", captured.schema, captured.name, captured.state.stopped));
  }
  return reasons;
}

std::string Engine::key_fault(const Table& table, const pgoutput::Relation& relation) const {
  const std::vector<std::string>& key = table.captured.state.key_columns;
  const std::string name = table.captured.schema + "." + table.captured.name;
  const auto listed = [&](const std::vector<std::string>& columns) {
    return fmt::format("({})", fmt::join(columns, ", "));
  };
  if (relation.identity == pgoutput::ReplicaIdentity::kNothing) {
    return fmt::format(
        "its replica identity is nothing; run ALTER TABLE {} REPLICA IDENTITY "
        "DEFAULT, then restart capture",
        name);
  }
  std::vector<std::string> identity;
  std::vector<std::string> columns;
  for (const pgoutput::RelationColumn& column : relation.columns) {
    columns.emplace_back(column.name);
    if (column.identity) identity.emplace_back(column.name);
  }
  const bool full = relation.identity == pgoutput::ReplicaIdentity::kFull;
  const std::vector<std::string>& there = full ? columns : identity;
  const auto found = [&](const std::string& column) {
    return std::ranges::find(there, column) != there.end();
  };
  if (std::ranges::all_of(key, found) && (full || key.size() == identity.size())) return {};
  return fmt::format(
      "its key was {} and is now {}: records of the topic would change their keys; "
      "give it back its key, or remove the table and add it under another topic, "
      "then restart capture",
      listed(key), identity.empty() ? "missing" : listed(identity));
}

Result<void> Engine::on_relation(const pgoutput::Relation& relation) {
  RETURN_IF_ERROR(flush_stash());  // it holds on to the old form
  forms_.erase(relation.id);
  const auto known =
      tables_by_name_.find({std::string(relation.schema), std::string(relation.name)});
  if (known == tables_by_name_.end()) return {};
  const size_t index = known->second;
  Table& table = tables_[index];
  TableState& state = table.captured.state;
  if (!state.stopped.empty()) return {};
  if (std::string fault = key_fault(table, relation); !fault.empty()) {
    stop(index, std::move(fault));
    return {};
  }
  std::vector<uint32_t> oids;
  for (const pgoutput::RelationColumn& column : relation.columns) oids.push_back(column.type);
  ASSIGN_OR_RETURN(const std::vector<ValueType> types, database_.value_types(oids));
  RowForm form{.table = index, .columns = {}, .key = {}};
  FormHash hash;
  for (size_t i = 0; i < types.size(); ++i) {
    form.add_column(relation.columns[i].name, types[i]);
    hash.add(relation.columns[i].name, relation.columns[i].type);
  }
  for (const std::string& column : state.key_columns) {
    const auto at = std::ranges::find(form.columns, column, &ColumnForm::name);
    form.key.push_back(static_cast<size_t>(at - form.columns.begin()));
  }
  forms_.emplace(relation.id, std::move(form));
  if (state.form != hash.text()) {
    // Rows written before have the old form, and nothing in the stream says what the new columns
    // hold in them: read them again.
    if (!state.form.empty()) {
      state.phase = SnapshotPhase::kRunning;
      state.last_key.clear();
      state.rows = 0;
      if (chunk_ && chunk_->request.table == index) chunk_.reset();
    }
    state.form = hash.text();
    table_changed(index);
  }
  return {};
}

const RowForm* Engine::form_of(uint32_t relation) const {
  const auto known = forms_.find(relation);
  return known == forms_.end() ? nullptr : &known->second;
}

}  // namespace searchsync::capture
