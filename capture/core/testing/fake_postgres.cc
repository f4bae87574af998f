#include "capture/core/testing/fake_postgres.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::capture::testing {
namespace {

using wire::Cell;

constexpr uint32_t kRelation = 7;
constexpr int kKeys = 12;
const std::vector<wire::Column> kColumns = {
    {"id", 23, true}, {"number", 23, false}, {"large", 25, false}};

wire::Row whole(int key, const FakeRow& row) {
  return {Cell::of(std::to_string(key)), Cell::of(std::to_string(row.number)), Cell::of(row.large)};
}
wire::Row only_key(int key) {
  return {Cell::of(std::to_string(key)), Cell::null(), Cell::null()};
}

}  // namespace

std::optional<FakeRow> FakePostgres::look(const Transaction& transaction, int key) const {
  if (const auto own = transaction.writes.find(key); own != transaction.writes.end()) {
    return own->second;
  }
  if (transaction.truncated || transaction.deletes.contains(key)) return std::nullopt;
  const auto row = visible_.find(key);
  return row == visible_.end() ? std::nullopt : std::optional(row->second);
}

bool FakePostgres::lock(Transaction& transaction, int key) {
  for (const Transaction& other : open_) {
    if (&other != &transaction && (other.locks.contains(key) || other.truncated)) return false;
  }
  transaction.locks.insert(key);
  return true;
}

void FakePostgres::begin() {
  open_.emplace_back().xid = next_xid_++;
}

void FakePostgres::change(Transaction& transaction) {
  if (pick(40) == 0) {
    truncate(transaction);
    return;
  }
  const int key = static_cast<int>(pick(kKeys));
  if (!lock(transaction, key)) return;
  const std::optional<FakeRow> row = look(transaction, key);
  const std::string relation = wire::relation(kRelation, "public", "t", kColumns);
  if (transaction.messages.empty()) transaction.messages.push_back(relation);
  lsn_ += 8 * (1 + pick(8));
  if (!row) {
    const FakeRow fresh{next_value_++, "large" + std::to_string(next_value_)};
    transaction.writes[key] = fresh;
    transaction.messages.push_back(wire::insert(kRelation, whole(key, fresh)));
    return;
  }
  change_row(transaction, key, *row);
}

void FakePostgres::change_row(Transaction& transaction, int key, const FakeRow& row) {
  FakeRow next = row;
  next.number = next_value_++;
  switch (pick(4)) {
    case 0:
      transaction.writes.erase(key);
      transaction.deletes.insert(key);
      transaction.messages.push_back(wire::remove(kRelation, 'K', only_key(key)));
      return;
    case 1:
      next.large = "large" + std::to_string(next.number);
      transaction.writes[key] = next;
      transaction.messages.push_back(wire::update(kRelation, '\0', {}, whole(key, next)));
      return;
    case 2: {
      wire::Row after = whole(key, next);
      after[2] = Cell::unchanged();
      transaction.writes[key] = next;
      transaction.messages.push_back(wire::update(kRelation, '\0', {}, after));
      return;
    }
    default: {
      const int to = static_cast<int>(pick(kKeys));
      if (to == key || !lock(transaction, to) || look(transaction, to)) return;
      wire::Row after = whole(to, next);
      after[2] = Cell::unchanged();
      transaction.writes.erase(key);
      transaction.deletes.insert(key);
      transaction.writes[to] = next;
      transaction.messages.push_back(wire::update(kRelation, 'K', only_key(key), after));
    }
  }
}

void FakePostgres::truncate(Transaction& transaction) {
  for (const Transaction& other : open_) {
    if (&other != &transaction && (!other.locks.empty() || other.truncated)) return;
  }
  if (transaction.messages.empty()) {
    transaction.messages.push_back(wire::relation(kRelation, "public", "t", kColumns));
  }
  transaction.truncated = true;
  transaction.writes.clear();
  transaction.deletes.clear();
  transaction.messages.push_back(wire::truncate({kRelation}));
}

void FakePostgres::commit(Transaction& transaction) {
  transaction.committed = true;
  lsn_ += 8 * (1 + pick(4));
  transaction.commit_lsn = lsn_;
  lsn_ += 40;
  transaction.end_lsn = lsn_;
  if (transaction.messages.empty()) return;  // the plugin leaves out empty transactions
  Logged logged{transaction.commit_lsn, {}};
  logged.messages.push_back(wire::begin(transaction.commit_lsn, 1000, transaction.xid));
  for (std::string& message : transaction.messages) logged.messages.push_back(std::move(message));
  logged.messages.push_back(wire::commit(transaction.commit_lsn, transaction.end_lsn));
  log_.push_back(std::move(logged));
}

void FakePostgres::abort(size_t index) {
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
}

void FakePostgres::become_visible(size_t index) {
  const Transaction& transaction = open_[index];
  if (transaction.truncated) visible_.clear();
  for (const int key : transaction.deletes) visible_.erase(key);
  for (const auto& [key, row] : transaction.writes) visible_[key] = row;
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
}

void FakePostgres::client_step() {
  if (open_.empty() || (open_.size() < 5 && pick(4) == 0)) {
    begin();
    return;
  }
  const size_t index = pick(open_.size());
  Transaction& transaction = open_[index];
  if (transaction.committed) {
    if (pick(3) == 0) become_visible(index);
  } else if (const uint64_t choice = pick(12); choice == 0) {
    abort(index);
  } else if (choice < 4) {
    commit(transaction);
  } else {
    change(transaction);
  }
}

void FakePostgres::quiesce() {
  for (Transaction& transaction : open_) {
    if (!transaction.committed) commit(transaction);
  }
  while (!open_.empty()) become_visible(0);
}

Result<std::vector<ValueType>> FakePostgres::value_types(std::span<const uint32_t> oids) {
  std::vector<ValueType> types;
  for (const uint32_t oid : oids) types.push_back(builtin_type(oid).value_or(ValueType{}));
  return types;
}

Result<std::vector<std::optional<Database::Values>>> FakePostgres::rows(const Lookup& lookup) {
  // The caller waits until the transaction is visible; meanwhile others may go on.
  while (!snapshot().sees(lookup.xid)) {
    const auto hidden = [&](const Transaction& t) { return t.xid == lookup.xid; };
    const auto at = std::ranges::find_if(open_, hidden);
    CHECK(at != open_.end());
    become_visible(static_cast<size_t>(at - open_.begin()));
  }
  for (uint64_t i = pick(6); i > 0; --i) client_step();
  std::vector<std::optional<Values>> found;
  for (const auto& key : lookup.keys) {
    const auto row = visible_.find(std::stoi(key.at(0)));
    found.emplace_back();
    if (row == visible_.end()) continue;
    found.back().emplace();
    for (const std::string& column : lookup.columns) {
      CHECK(column == "large");
      found.back()->push_back(row->second.large);
    }
  }
  return found;
}

XidSnapshot FakePostgres::snapshot() const {
  std::vector<uint64_t> in_progress;
  uint64_t xmin = next_xid_;
  for (const Transaction& transaction : open_) {
    in_progress.push_back(transaction.xid);
    xmin = std::min<uint64_t>(xmin, transaction.xid);
  }
  return XidSnapshot(xmin, next_xid_, std::move(in_progress));
}

ChunkRows FakePostgres::read_chunk(const ChunkRequest& request) const {
  ChunkRows chunk;
  chunk.id = request.id;
  chunk.snapshot = snapshot();
  chunk.columns = {"id", "number", "large"};
  chunk.types = {*builtin_type(23), *builtin_type(23), ValueType{}};
  auto row = request.after.empty() ? visible_.begin()
                                   : visible_.upper_bound(std::stoi(request.after.at(0)));
  for (; row != visible_.end() && chunk.rows.size() < request.rows_max; ++row) {
    chunk.rows.add_row();
    chunk.rows.add_cell(std::optional<std::string_view>(std::to_string(row->first)));
    chunk.rows.add_cell(std::optional<std::string_view>(std::to_string(row->second.number)));
    chunk.rows.add_cell(std::optional<std::string_view>(row->second.large));
  }
  chunk.last = chunk.rows.size() < request.rows_max;
  return chunk;
}

void FakePostgres::write_mark(const std::string& content) {
  begin();
  open_.back().messages.push_back(wire::message(Engine::kMarkPrefix, content));
  commit(open_.back());
}

std::optional<std::string> FakePostgres::next_message() {
  if (next_logged_ == log_.size()) {
    sent_end_ = lsn_;
    return std::nullopt;
  }
  const Logged& logged = log_[next_logged_];
  std::string bytes = logged.messages[next_in_logged_++];
  if (next_in_logged_ == logged.messages.size()) {
    next_in_logged_ = 0;
    ++next_logged_;
  }
  return bytes;
}

void FakePostgres::restart_stream(uint64_t from) {
  next_in_logged_ = 0;
  next_logged_ = slot_start_;
  while (next_logged_ < log_.size() && log_[next_logged_].commit_lsn < from) ++next_logged_;
}

uint64_t FakePostgres::lose_slot() {
  for (Transaction& transaction : open_) {
    if (!transaction.committed) transaction.messages.clear();
  }
  slot_start_ = log_.size();
  return lsn_;
}

}  // namespace searchsync::capture::testing
