#include <fmt/core.h>

#include <algorithm>

#include "capture/core/engine.h"
#include "lib/base/check.h"

// Chunks of rows, read beside the stream.

namespace searchsync::capture {

using pgoutput::Cell;
using pgoutput::Tuple;

size_t Engine::chunk_rows(const Table& table) const {
  if (table.bytes_per_row <= 0) return options_.chunk_rows_first;
  const double rows = static_cast<double>(options_.chunk_bytes) / table.bytes_per_row;
  return static_cast<size_t>(std::clamp(rows, 16.0, static_cast<double>(options_.chunk_rows_max)));
}

std::optional<ChunkRequest> Engine::next_chunk() {
  if (chunk_ || snapshot_needed_) return std::nullopt;
  for (size_t i = 0; i < tables_.size(); ++i) {
    const Table& table = tables_[i];
    const TableState& state = table.captured.state;
    if (state.phase == SnapshotPhase::kDone || !state.stopped.empty() || table.behind_barrier) {
      continue;
    }
    chunk_.emplace();
    chunk_->request = {
        .id = ++chunks_, .table = i, .after = state.last_key, .rows_max = chunk_rows(table)};
    chunk_->must_see = tracker_.maybe_hidden(i);
    return chunk_->request;
  }
  return std::nullopt;
}

std::string Engine::chunk_mark(uint64_t id) const {
  CHECK(chunk_ && chunk_->request.id == id);
  const CapturedTable& table = tables_[chunk_->request.table].captured;
  return fmt::format("{}:{}:{}.{}", options_.nonce, id, table.schema, table.name);
}

// The table that a mark, of this session or another, is about.
std::optional<size_t> Engine::marked_table(std::string_view content) const {
  for (int colons = 0; colons < 2; ++colons) {
    const size_t colon = content.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    content.remove_prefix(colon + 1);
  }
  for (size_t i = 0; i < tables_.size(); ++i) {
    const CapturedTable& table = tables_[i].captured;
    if (content == table.schema + "." + table.name) return i;
  }
  return std::nullopt;
}

Result<bool> Engine::on_chunk(ChunkRows rows) {
  if (!chunk_ || chunk_->request.id != rows.id) return false;  // given up meanwhile
  const size_t table = chunk_->request.table;
  const auto sees = [&](uint32_t xid) { return rows.snapshot.sees(xid); };
  const bool sees_all = std::ranges::all_of(chunk_->must_see, sees);
  on_snapshot(rows.snapshot);
  if (!sees_all || chunk_->window.overflowed()) {
    snapshot_needed_ = true;
    chunk_.reset();
    return false;
  }
  RowForm form{.table = table, .columns = {}, .key = {}};
  CHECK(rows.columns.size() == rows.types.size());
  for (size_t i = 0; i < rows.columns.size(); ++i) form.add_column(rows.columns[i], rows.types[i]);
  for (const std::string& column : tables_[table].captured.state.key_columns) {
    const auto at = std::ranges::find(rows.columns, column) - rows.columns.begin();
    CHECK(static_cast<size_t>(at) < rows.columns.size(), "column {}", column);
    form.key.push_back(static_cast<size_t>(at));
  }
  std::vector<std::string> keys(rows.rows.size());
  for (size_t i = 0; i < keys.size(); ++i) append_key(keys[i], form, rows.rows.row(i, cells_));
  if (!keys.empty()) {
    tables_[table].bytes_per_row =
        static_cast<double>(rows.rows.bytes()) / static_cast<double>(keys.size());
  }
  chunk_->window.set_rows(std::move(keys));
  chunk_->form = std::move(form);
  chunk_->rows = std::move(rows);
  return true;
}

void Engine::on_chunk_failed(uint64_t id, const Error& error) {
  if (!chunk_ || chunk_->request.id != id) return;
  const size_t table = chunk_->request.table;
  chunk_.reset();
  stop(table, fmt::format("it cannot be read: {}; mend that, then restart capture", error.message));
}

Result<void> Engine::on_mark(std::string_view content) {
  const std::optional<size_t> marked = marked_table(content);
  if (!marked) return {};
  const size_t table = *marked;
  // One position for all rows, no two of them have the same key, and one for a sweep. A mark takes
  // them even if it is an earlier session's: what follows must get the positions it had.
  const Position position = next_position(table);
  const Position sweep_position = next_position(table);
  if (!chunk_ || !chunk_->rows || content != chunk_mark(chunk_->request.id)) return {};
  Chunk chunk = std::move(*chunk_);
  chunk_.reset();
  TableState& state = tables_[table].captured.state;
  const size_t count = chunk.rows->rows.size();
  for (size_t i = 0; i < count; ++i) {
    if (chunk.window.untouched(i)) RETURN_IF_ERROR(write_chunk_row(chunk, i, position));
  }
  state.rows += count;
  if (count > 0) {
    const Tuple last = chunk.rows->rows.row(count - 1, cells_);
    state.last_key.clear();
    for (const size_t k : chunk.form.key) state.last_key.emplace_back(last[k].text);
  }
  if (chunk.rows->last) {
    if (state.sweep) RETURN_IF_ERROR(sweep(table, sweep_position));
    state.sweep = false;
    state.phase = SnapshotPhase::kDone;
    state.last_key.clear();
  }
  table_changed(table);
  return {};
}

Result<void> Engine::write_chunk_row(Chunk& chunk, size_t row, Position position) {
  Table& table = tables_[chunk.request.table];
  after_.clear();
  append_row(after_, chunk.form, chunk.rows->rows.row(row, cells_));
  value_.clear();
  append_envelope(value_, {.op = Op::kRead, .before = {}, .after = after_, .now_ms = now_ms_},
                  table.source, facts(position, true));
  ++table.counters.read;
  return append(chunk.request.table, chunk.window.key(row), value_);
}

// Keys that an earlier epoch wrote and this one did not are rows that vanished while nobody looked.
Result<void> Engine::sweep(size_t table, Position position) {
  return outlet_.each_live_key(
      table, {.epoch = position.epoch, .lsn = 0},
      [&](std::string_view key) { return delete_key(table, key, position); });
}

}  // namespace searchsync::capture
