#include <algorithm>

#include "capture/core/engine.h"
#include "lib/base/check.h"

// Changes of rows, as the stream brings them.

namespace searchsync::capture {
namespace {

using pgoutput::Cell;
using pgoutput::OldForm;
using pgoutput::Tuple;

// The row has a text in each column of the key.
bool has_key(const RowForm& form, Tuple row) {
  return std::ranges::all_of(form.key, [&](size_t k) { return row[k].kind == Cell::Kind::kText; });
}

bool same_key(const RowForm& form, Tuple a, Tuple b) {
  return std::ranges::all_of(form.key, [&](size_t k) { return a[k] == b[k]; });
}

std::unexpected<Error> bad_row(std::string_view what) {
  return fail(ErrorCode::kMalformed, fmt::format("pgoutput: {}", what));
}

}  // namespace

Result<void> Engine::append(size_t table, std::string_view key,
                            std::optional<std::string_view> value) {
  tracker_.sent();
  return outlet_.append(table, key, value, tracker_.newest());
}

void Engine::touch(size_t table, std::string_view key) {
  if (chunk_ && chunk_->request.table == table) chunk_->window.touch(key);
}

SourceBlock::Facts Engine::facts(Position position, bool snapshot) const {
  return {
      .time_us = begin_.commit_us, .xid = begin_.xid, .position = position, .snapshot = snapshot};
}

Result<void> Engine::stash_if_needed(bool& stashed, const RowForm& form, Stash::Change change) {
  const auto missing = [](const Cell& cell) { return cell.kind == Cell::Kind::kUnchanged; };
  stashed = !stash_.empty() || std::ranges::any_of(change.after, missing);
  if (!stashed) return {};
  stash_.add(form, change);
  // The window has to know now: a chunk may be asked for before the stash is written.
  for (const Tuple row : {change.before, change.after}) {
    if (row.empty() || !has_key(form, row)) continue;
    key_.clear();
    append_key(key_, form, row);
    touch(form.table, key_);
  }
  if (stash_.size() < options_.stash_rows_max && stash_.bytes() < options_.stash_bytes_max) {
    return {};
  }
  return flush_stash();
}

Result<void> Engine::on_insert(const pgoutput::Insert& insert) {
  const RowForm* const form = form_of(insert.relation);
  if (form == nullptr) return {};
  if (insert.after.size() != form->columns.size() || !has_key(*form, insert.after)) {
    return bad_row("an insert does not fit its relation");
  }
  bool stashed = false;
  RETURN_IF_ERROR(
      stash_if_needed(stashed, *form, {Stash::Kind::kInsert, OldForm::kNone, {}, insert.after}));
  return stashed ? Result<void>{} : write_insert(*form, insert.after);
}

Result<void> Engine::on_update(const pgoutput::Update& update) {
  const RowForm* const form = form_of(update.relation);
  if (form == nullptr) return {};
  const size_t columns = form->columns.size();
  if (update.after.size() != columns ||
      (update.old_form != OldForm::kNone &&
       (update.before.size() != columns || !has_key(*form, update.before)))) {
    return bad_row("an update does not fit its relation");
  }
  completed_.assign(update.after.begin(), update.after.end());
  for (size_t i = 0; i < columns && update.old_form != OldForm::kNone; ++i) {
    const bool in_key = std::ranges::find(form->key, i) != form->key.end();
    if (completed_[i].kind == Cell::Kind::kUnchanged &&
        (update.old_form == OldForm::kFull || in_key)) {
      completed_[i] = update.before[i];
    }
  }
  if (!has_key(*form, completed_)) return bad_row("an update has no key");
  bool stashed = false;
  RETURN_IF_ERROR(stash_if_needed(
      stashed, *form, {Stash::Kind::kUpdate, update.old_form, update.before, completed_}));
  if (stashed) return {};
  return write_update(*form, update.old_form, update.before, completed_);
}

Result<void> Engine::on_delete(const pgoutput::Delete& removed) {
  const RowForm* const form = form_of(removed.relation);
  if (form == nullptr) return {};
  if (removed.before.size() != form->columns.size() || !has_key(*form, removed.before)) {
    return bad_row("a delete does not fit its relation");
  }
  bool stashed = false;
  RETURN_IF_ERROR(stash_if_needed(stashed, *form,
                                  {Stash::Kind::kDelete, removed.old_form, removed.before, {}}));
  return stashed ? Result<void>{} : write_delete(*form, removed.old_form, removed.before);
}

Result<void> Engine::write_insert(const RowForm& form, Tuple after) {
  return write_row(form, Op::kCreate, {}, after);
}

Result<void> Engine::write_update(const RowForm& form, OldForm old_form, Tuple before,
                                  Tuple after) {
  if (old_form != OldForm::kNone && !same_key(form, before, after)) {
    RETURN_IF_ERROR(write_delete(form, old_form, before));
    return write_row(form, Op::kCreate, {}, after);
  }
  return write_row(form, Op::kUpdate, old_form == OldForm::kFull ? before : Tuple{}, after);
}

Result<void> Engine::write_row(const RowForm& form, Op op, Tuple before, Tuple after) {
  const Table& table = tables_[form.table];
  key_.clear();
  append_key(key_, form, after);
  touch(form.table, key_);
  before_.clear();
  if (!before.empty()) append_row(before_, form, before);
  after_.clear();
  append_row(after_, form, after);
  value_.clear();
  append_envelope(value_, {.op = op, .before = before_, .after = after_, .now_ms = now_ms_},
                  table.source, facts(next_position(form.table), false));
  TableCounters& counters = tables_[form.table].counters;
  ++(op == Op::kCreate ? counters.created : counters.updated);
  return append(form.table, key_, value_);
}

Result<void> Engine::write_delete(const RowForm& form, OldForm old_form, Tuple before) {
  old_key_.clear();
  append_key(old_key_, form, before);
  touch(form.table, old_key_);
  before_.clear();
  if (old_form == OldForm::kFull) {
    append_row(before_, form, before);
  } else {
    append_key_row(before_, form, before);
  }
  value_.clear();
  append_envelope(value_, {.op = Op::kDelete, .before = before_, .after = {}, .now_ms = now_ms_},
                  tables_[form.table].source, facts(next_position(form.table), false));
  ++tables_[form.table].counters.deleted;
  RETURN_IF_ERROR(append(form.table, old_key_, value_));
  return append(form.table, old_key_, std::nullopt);
}

Result<void> Engine::delete_key(size_t table, std::string_view key, Position position) {
  value_.clear();
  append_envelope(value_, {.op = Op::kDelete, .before = key, .after = {}, .now_ms = now_ms_},
                  tables_[table].source, facts(position, false));
  ++tables_[table].counters.deleted;
  RETURN_IF_ERROR(append(table, key, value_));
  return append(table, key, std::nullopt);
}

Result<void> Engine::flush_stash() {
  if (stash_.empty()) return {};
  ASSIGN_OR_RETURN(const Stash::Completion completion, stash_.complete(database_, begin_.xid));
  for (size_t i = 0; i < stash_.size(); ++i) RETURN_IF_ERROR(write_stashed(i, completion));
  stash_.clear();
  return {};
}

Result<void> Engine::write_stashed(size_t index, const Stash::Completion& completion) {
  const RowForm& form = stash_.form(index);
  const Stash::Change change = stash_.change(index, cells_, completed_);
  const auto found = completion.values.find(index);
  if (found != completion.values.end()) {
    if (!found->second) {
      // Gone since: what took it away follows in the stream. An old key has to go all the same, and
      // the position is taken: another time, with the row still there, it would be.
      ++tables_[form.table].counters.vanished;
      if (change.old_form != OldForm::kNone && !same_key(form, change.before, change.after)) {
        RETURN_IF_ERROR(write_delete(form, change.old_form, change.before));
      }
      next_position(form.table);
      return {};
    }
    const std::vector<std::string>& names = completion.columns.at(form.table);
    for (size_t c = 0; c < completed_.size(); ++c) {
      if (completed_[c].kind != Cell::Kind::kUnchanged) continue;
      const auto at = std::ranges::find(names, form.columns[c].name) - names.begin();
      const std::optional<std::string>& text = (*found->second)[static_cast<size_t>(at)];
      completed_[c] = text ? Cell{Cell::Kind::kText, *text} : Cell{};
    }
  }
  switch (change.kind) {
    case Stash::Kind::kInsert:
      return write_insert(form, completed_);
    case Stash::Kind::kUpdate:
      return write_update(form, change.old_form, change.before, completed_);
    case Stash::Kind::kDelete:
      return write_delete(form, change.old_form, change.before);
  }
  CHECK(false, "a stashed change of no kind");
}

Result<void> Engine::on_truncate(const pgoutput::Truncate& truncate) {
  RETURN_IF_ERROR(flush_stash());
  for (const uint32_t relation : truncate.relations) {
    const RowForm* const form = form_of(relation);
    if (form == nullptr) continue;
    const size_t table = form->table;
    if (chunk_ && chunk_->request.table == table) chunk_->window.touch_all();
    ++tables_[table].counters.truncated;
    const Position position = next_position(table);
    // Those that this very truncate deleted once, too: an older record may have come again since.
    const Position below{.epoch = position.epoch, .lsn = position.lsn + 1};
    RETURN_IF_ERROR(outlet_.each_live_key(
        table, below, [&](std::string_view key) { return delete_key(table, key, position); }));
  }
  return {};
}

}  // namespace searchsync::capture
