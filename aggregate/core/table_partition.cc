#include "aggregate/core/table_partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "worker/core/bytes.h"

namespace searchsync::aggregate {
namespace {

constexpr uint64_t kForm = 1;             // of the state in the store
constexpr int64_t kAtOnceMs = 10;         // what is written at once waits for company so long
constexpr int64_t kMovedMs = 1'000;       // what was read and caused no row is committed so often
constexpr size_t kPendingMax = 100'000;   // then all are written
constexpr int64_t kIdsSavedMin = 10'000;  // events

std::string prefix_of(Partition partition) {
  std::string prefix;
  worker::append_integer(prefix, static_cast<uint16_t>(partition.get()));
  return prefix;
}

std::string saved_ids_key(const std::string& prefix, Offset end) {
  std::string key = prefix + 'd';
  worker::append_integer(key, static_cast<uint64_t>(end.get()));
  return key;
}

Offset offset_of(uint64_t value) {
  return Offset(static_cast<int64_t>(value));
}

}  // namespace

TablePartition::TablePartition(const Definition& definition, Options options, worker::Store& store,
                               Shared& shared)
    : definition_(definition),
      options_(options),
      store_(store),
      shared_(shared),
      prefix_(prefix_of(options.partition)),
      reader_(definition, options.partition, options.partitions),
      group_(definition),
      table_(store, prefix_ + 'g', shared.memory) {
  if (definition.event_id) ids_ = std::make_unique<IdWindow>(definition.window);
}

Offset TablePartition::start(const LogState& log) {
  identity_ = log.identity;
  table_end_ = log.table_end;
  // A table without rows has nothing of any event, whatever is committed.
  from_first_ = !log.committed || log.table_end.get() == 0;
  committed_ = from_first_ ? Offset(0) : *log.committed;
  if (!load(log)) {
    store_.clear();
    applied_ = Offset(0);
  }
  if (table_end_.get() == 0) table_.store_is_empty();
  position_ = ids_from_ = committed_;
  if (ids_ && !from_first_) load_ids();
  if (at_limit()) {
    halt(ErrorCode::kLimit, fmt::format("halted with {} open dead letters", shared_.refused));
  }
  return applied_;
}

// State is thrown away if it is of another table, or of events that are not committed any more:
// then somebody has begun anew.
bool TablePartition::load(const LogState& log) {
  std::string bytes;
  if (from_first_ || !store_.get(prefix_ + 'm', bytes)) return false;
  VarintReader reader(bytes);
  const uint64_t form = reader.integer();
  const auto identity = reader.bytes();
  applied_ = offset_of(reader.integer());
  const Offset committed = offset_of(reader.integer());
  return reader.at_end() && form == kForm && identity == log.identity &&
         applied_ <= log.table_end && committed <= *log.committed;
}

// Of events that are committed: the others are read again. Where there are none, rewind_to() asks
// for events.
void TablePartition::load_ids() {
  const std::string all = prefix_ + 'd';
  std::vector<std::string> useless;
  std::optional<Offset> end;
  store_.scan(all, "", [&](std::string_view key, std::string_view value) {
    const Offset its_end =
        offset_of(worker::ByteReader(key.substr(all.size())).integer<uint64_t>());
    VarintReader reader(value);
    const Offset begin = offset_of(reader.integer());
    const bool follows = useless.empty() && (!end || *end == begin) && its_end <= committed_;
    if (follows && reader.ok() && ids_->load(reader.rest())) {
      end = its_end;
      saved_.push_back({its_end, ids_->newest_ms().value_or(0)});
    } else {
      useless.emplace_back(key);
    }
    return true;
  });
  for (const auto& key : useless) store_.erase(key);
  ids_missing_ = !end;
  if (end) position_ = ids_from_ = *end;
}

Result<void> TablePartition::restore(std::span<const TableRecord> records) {
  for (const auto& record : records) {
    if (record.offset < applied_) continue;
    if (!record.state || !group_.decode(*record.state)) {
      return fail(
          ErrorCode::kMalformed,
          fmt::format("partition {} offset {} of the table's topic is not a row of it: "
                      "nobody else may write into that topic; raise spec.aggregate.revision "
                      "to count anew, into another",
                      options_.partition.get(), record.offset.get()));
    }
    state_.assign(prefix_).append(1, 'g').append(record.key);
    store_.put(state_, *record.state);
    has_rows_ = true;
    applied_ = Offset(record.offset.get() + 1);
  }
  save_progress();
  store_.commit();
  return {};
}

void TablePartition::restored_to(Offset position) {
  applied_ = std::max(applied_, position);
}

Result<Offset> TablePartition::resume_at(Offset low) {
  const bool gone = from_first_ ? has_rows_ && low.get() > 0 : low > committed_;
  if (gone) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("partition {} begins at offset {}, and what was before is counted {}: "
                    "events that were not counted are gone; raise spec.aggregate.revision "
                    "to count what is there",
                    options_.partition.get(), low.get(),
                    from_first_ ? "up to where nobody knows, as the group's offsets are gone"
                                : fmt::format("up to {}", committed_.get())));
  }
  if (from_first_) return low;
  // What is gone is counted, and its ids are forgotten.
  position_ = std::max(position_, low);
  return position_;
}

std::optional<int64_t> TablePartition::rewind_to(int64_t arrived_ms) const {
  if (!ids_missing_) return std::nullopt;
  return ids_->oldest_ms(arrived_ms);
}

void TablePartition::rewound(Offset from) {
  ids_missing_ = false;
  position_ = ids_from_ = std::min(from, committed_);
}

void TablePartition::apply(std::span<const EventRecord> events, int64_t now_ms) {
  CHECK(restored() && !ids_missing_ && in_flight_.empty());
  for (const auto& event : events) {
    if (event.offset < position_) continue;
    if (halted_ || !apply_one(event, now_ms)) break;
    position_ = Offset(event.offset.get() + 1);
  }
  if (position_ > committed_ && !moved_since_ms_) moved_since_ms_ = now_ms;
  table_.evict();
}

void TablePartition::reached(Offset position, int64_t now_ms) {
  if (halted_ || ids_missing_) return;
  position_ = std::max(position_, position);
  if (position_ > committed_ && !moved_since_ms_) moved_since_ms_ = now_ms;
}

// False: nothing more may be applied, not this event either.
bool TablePartition::apply_one(const EventRecord& record, int64_t now_ms) {
  if (ids_) ids_->arrived(record.timestamp_ms);
  const auto event = reader_.read(record);
  if (!event) return refuse(record, event.error());
  const bool known = record.offset < committed_;
  if (!known) ++events_;
  if (ids_) {
    const bool seen = ids_->seen(event->id);
    if (ids_->size() > static_cast<size_t>(definition_.ids_max)) {
      halt(ErrorCode::kLimit, fmt::format("more than {} ids of events have to be remembered: raise "
                                          "spec.aggregate.dedupe.idsMax, or shorten its window",
                                          definition_.ids_max));
    }
    if (seen) {
      if (!known) ++duplicates_;
      return true;
    }
  }
  // It is in the rows of the table, and was read for its id only.
  if (known) return true;
  GroupTable::Entry* const entry = table_.find(event->group);
  if (entry != nullptr) {
    CHECK(group_.decode(entry->state()), "a group's state is not what was written");
    // Its row left before all that was before it was committed, and then the events came again.
    if (record.offset <= group_.through()) return true;
  } else {
    group_.clear();
  }
  const auto change = group_.apply(*event, record.offset);
  if (!change) return refuse(record, change.error());
  if (*change != Group::Change::kNone) fold(entry, *event, *change, record.offset, now_ms);
  return true;
}

void TablePartition::fold(GroupTable::Entry* entry, const Event& event, Group::Change change,
                          Offset offset, int64_t now_ms) {
  state_.clear();
  group_.encode(state_);
  entry = entry == nullptr ? table_.add(event.group, state_) : table_.set_state(entry, state_);
  if (entry->pinned == 0) {
    entry->pinned = first_pending_ + pending_.size();
    pending_.push_back({entry, offset, now_ms});
  } else {
    pending_[entry->pinned - first_pending_].entry = entry;
  }
  if (change != Group::Change::kDerived) return;
  urgent_.push_back(entry->pinned);
  if (!urgent_since_ms_) urgent_since_ms_ = now_ms;
}

// What is committed was refused when it was first read.
bool TablePartition::refuse(const EventRecord& record, const Error& error) {
  if (record.offset < committed_) return true;
  const auto place =
      fmt::format("partition {} offset {}", options_.partition.get(), record.offset.get());
  if (options_.errors.policy == model::ErrorPolicy::kHalt) {
    halt(error.code, fmt::format("halted at {}: {}", place, error.message));
    return false;
  }
  ++events_;
  const auto copy = [](const auto& text) {
    return text ? std::optional<std::string>(*text) : std::nullopt;
  };
  refused_.push_back({record.offset, error.message, copy(record.key), copy(record.value)});
  ++shared_.refused;
  if (at_limit()) {
    halt(error.code, fmt::format("halted after {} dead letters, the last {}: {}", shared_.refused,
                                 place, error.message));
  }
  return true;
}

bool TablePartition::at_limit() const {
  return options_.errors.policy == model::ErrorPolicy::kDeadLetter &&
         shared_.refused >= std::max<int64_t>(1, options_.errors.max_dead_letters);
}

void TablePartition::halt(ErrorCode code, std::string why) {
  halted_ = Error{code, std::move(why)};
}

std::optional<int64_t> TablePartition::due_ms() const {
  std::optional<int64_t> due;
  const auto consider = [&](int64_t at_ms) { due = std::min(due.value_or(at_ms), at_ms); };
  if (!refused_.empty() || pending_.size() >= kPendingMax) consider(INT64_MIN);
  if (urgent_since_ms_) consider(*urgent_since_ms_ + kAtOnceMs);
  if (!pending_.empty()) consider(pending_.front().since_ms + definition_.interval.count());
  if (moved_since_ms_) {
    consider(*moved_since_ms_ + std::max(kMovedMs, definition_.interval.count()));
  }
  return due;
}

TablePartition::Flush TablePartition::flush(Which which, int64_t now_ms,
                                            FunctionRef<void(const TableRow&)> row) {
  CHECK(in_flight_.empty());
  // A refused event is behind us for good only when all before it is.
  const bool all = which == Which::kAll || !refused_.empty() || pending_.size() >= kPendingMax;
  const auto give = [&](Pending& pending) {
    GroupTable::Entry* const entry = std::exchange(pending.entry, nullptr);
    if (entry == nullptr) return;
    CHECK(group_.decode(entry->state()), "a group's state is not what was written");
    row_.clear();
    group_.append_row(entry->key(), row_);
    row({entry->key(), row_, entry->state()});
    in_flight_.push_back(entry);
  };
  for (const uint64_t pinned : urgent_) give(pending_[pinned - first_pending_]);
  urgent_.clear();
  urgent_since_ms_.reset();
  while (!pending_.empty()) {
    Pending& oldest = pending_.front();
    const bool due = oldest.since_ms + definition_.interval.count() <= now_ms;
    if (oldest.entry != nullptr && !due && !all) break;
    give(oldest);
    pending_.pop_front();
    ++first_pending_;
  }
  next_ = std::max(committed_, pending_.empty() ? position_ : pending_.front().first);
  return {next_, refused_};
}

void TablePartition::flushed(std::optional<Offset> table_end) {
  for (auto* entry : in_flight_) {
    table_.save(*entry);
    entry->pinned = 0;
  }
  in_flight_.clear();
  refused_.clear();
  committed_ = next_;
  from_first_ = false;
  if (table_end) applied_ = std::max(applied_, *table_end);
  moved_since_ms_.reset();
  if (ids_) save_ids();
  save_progress();
  store_.commit();
  table_.evict();
}

// In pieces of some size: those that are not saved are read again. What was forgotten by now may
// not be forgotten yet where events are read again, from the committed offset on.
void TablePartition::save_ids() {
  const auto newest = ids_->newest_ms();
  if (!newest) return;
  const bool enough = position_.get() - ids_from_.get() >= kIdsSavedMin || saved_.empty() ||
                      ids_->oldest_ms(*newest) != ids_->oldest_ms(saved_.back().newest_ms);
  if (enough && position_ > ids_from_) {
    std::string value;
    append_varint(value, static_cast<Uint128>(ids_from_.get()));
    store_.put(saved_ids_key(prefix_, position_), value += ids_->take_added());
    saved_.push_back({position_, *newest});
    ids_from_ = position_;
  }
  auto last = saved_.rbegin();
  while (last != saved_.rend() && last->end > committed_) ++last;
  if (last == saved_.rend()) return;
  const int64_t oldest = ids_->oldest_ms(last->newest_ms);
  while (saved_.front().newest_ms < oldest) {
    store_.erase(saved_ids_key(prefix_, saved_.front().end));
    saved_.pop_front();
  }
}

void TablePartition::save_progress() {
  std::string bytes;
  append_varint(bytes, kForm);
  append_varint(bytes, identity_.size());
  bytes += identity_;
  append_varint(bytes, static_cast<Uint128>(applied_.get()));
  append_varint(bytes, static_cast<Uint128>(committed_.get()));
  store_.put(prefix_ + 'm', bytes);
}

}  // namespace searchsync::aggregate
