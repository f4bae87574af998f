#include "worker/core/worker.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/model/retention.h"
#include "worker/core/pending.h"
#include "worker/core/temporal.h"
#include "worker/core/version.h"

namespace searchsync::worker {
namespace {

constexpr int64_t kProgressEveryMs = 60'000;  // how exactly the age of an idle partition is known

// A log of another topology.
constexpr std::string_view kBuildAnew =
    "Build the index anew from its sources: another spec.workers.partitions gives it another log";

}  // namespace

PartitionWorker::PartitionWorker(const model::Pipeline& pipeline, Options options, Store& store)
    : options_(options),
      store_(store),
      keys_(options.partition),
      fold_(pipeline, {options.partition, options.partitions, options.inline_edges_max}, store),
      builder_(pipeline),
      partitioning_(pipeline.partitioning) {
  const bool roots_shown = std::ranges::any_of(pipeline.bindings, [](const auto& binding) {
    return binding.kind == model::BindingKind::kLink;
  });
  if (partitioning_ && !roots_shown) log_retention_ = options.log_retention;
}

Offset PartitionWorker::start(const LogState& log) {
  log_ = log.identity;
  restored_until_ = log.committed;
  oldest_usable_ms_ = log.oldest_usable_ms;
  auto saved = saved_progress();
  if (const Offset known = std::max(log.committed, saved ? saved->applied : Offset(0));
      known > log.end) {
    // The state is kept: it is how whoever comes next finds this out.
    halted_ =
        Error{ErrorCode::kUnsupported,
              fmt::format(
                  "document log partition {}: it ends at offset {}, and was applied up to {}: the "
                  "topic was made anew, or its brokers have lost records. {}",
                  options_.partition.get(), log.end.get(), known.get(), kBuildAnew)};
    return log.end;
  }
  if (saved && may_go_on_from(*saved, log)) {
    at_ = std::move(*saved);
  } else {
    store_.clear();
    at_ = {.began_ms = log.now_ms, .silent_until = log.end};
  }
  load_leadership();
  forget_what_others_finished();
  advance_first_pass();
  fan_outs_ = fold_.fan_outs();
  save_progress();
  store_.commit();
  return at_.applied;
}

// Nothing if there is no state, or it is of another log.
std::optional<Progress> PartitionWorker::saved_progress() const {
  std::string saved;
  if (!store_.get(keys_.progress(), saved)) return std::nullopt;
  return decode_progress(saved, log_);
}

// False if it is so old that it may hold what was deleted since: where the deletion itself is gone
// by now, nobody would take it out.
bool PartitionWorker::may_go_on_from(const Progress& saved, const LogState& log) {
  return saved.applied == log.end ||
         std::max(saved.began_ms, saved.newest_ms) >= log.oldest_usable_ms;
}

void PartitionWorker::load_leadership() {
  leadership_ = {.own = options_.generation, .leader = at_.leader};
  std::string saved;
  if (!store_.get(keys_.leadership(), saved)) return;
  const auto read = model::parse_note(saved);
  if (read && read->leader == at_.leader) leadership_ = *read;
}

// What the group has committed past, be it by another worker, need not be done again.
void PartitionWorker::forget_what_others_finished() {
  std::vector<std::string> finished;
  store_.scan(keys_.pendings(), "", [&](std::string_view key, std::string_view value) {
    if (decode_pending(value).last < restored_until_) finished.emplace_back(key);
    return true;
  });
  for (const auto& key : finished) store_.erase(key);
  fold_.drop_fan_outs(restored_until_);
  if (at_.begun_at && *at_.begun_at < restored_until_) at_.first_pass = FirstPass::kDone;
}

std::vector<Work> PartitionWorker::resume() {
  std::vector<Work> all;
  if (halted_) return all;
  const auto prefix = keys_.pendings();
  std::vector<std::pair<uint64_t, Pending>> pendings;
  store_.scan(prefix, "", [&](std::string_view key, std::string_view value) {
    pendings.emplace_back(ByteReader(key.substr(prefix.size())).integer<uint64_t>(),
                          decode_pending(value));
    return true;
  });
  for (auto& [number, pending] : pendings) {
    Work work{.batch = number,
              .sends = std::move(pending.sends),
              .touched = std::move(pending.touched),
              .refused = std::move(pending.refused)};
    batches_.push_back({number, pending.since, pending.last, work.pieces()});
    all.push_back(std::move(work));
  }
  close_batches();
  return all;
}

Work PartitionWorker::apply(std::span<const LogRecord> records) {
  CHECK(!records.empty());
  Work work;
  Effects effects;
  const Offset since = std::max(records.front().offset, restored_until_);
  for (const auto& record : records) {
    if (!is_usable(record)) break;
    if (apply(record, effects, work) == Next::kStop) break;
  }
  advance_first_pass();
  work.sends = std::move(effects.sends);
  work.touched = effects.touched.all();
  open_batch(since, work);
  if (effects.fan_outs_changed) fan_outs_ = fold_.fan_outs();
  save_progress();
  store_.commit();
  return work;
}

// What is still to be done may depend on what was there before, and after a while compaction takes
// that away: a row's last parent, a deletion. Not so if nothing has been compacted yet.
bool PartitionWorker::is_usable(const LogRecord& record) {
  if (halted_) return false;
  const bool whole = at_.whole && record.offset == at_.applied;
  const bool idle = !leads() && at_.first_pass == FirstPass::kFolding;
  if (whole || idle || record.timestamp_ms >= oldest_usable_ms_ ||
      record.offset < restored_until_) {
    return true;
  }
  const auto iso = [](int64_t ms) {
    std::string text;
    append_timestamp(ms * 1000, Zone::kUtc, text);
    return text;
  };
  halted_ =
      Error{ErrorCode::kUnsupported,
            fmt::format("document log partition {}: the message at offset {} is of {}, and work "
                        "from before {} cannot be taken up any more: compaction may have removed "
                        "what it needs. {}",
                        options_.partition.get(), record.offset.get(), iso(record.timestamp_ms),
                        iso(oldest_usable_ms_), kBuildAnew)};
  return false;
}

PartitionWorker::Next PartitionWorker::apply(const LogRecord& record, Effects& effects,
                                             Work& work) {
  CHECK(record.offset >= at_.applied, "offset {} comes after {}", record.offset.get(),
        at_.applied.get());
  const bool done = record.offset < restored_until_;
  at_.whole = at_.whole && record.offset == at_.applied;
  at_.applied = Offset(record.offset.get() + 1);
  at_.newest_ms = std::max(at_.newest_ms, record.timestamp_ms);
  const auto refuse = [&](const Error& error) {
    if (done) return Next::kGoOn;
    work.refused.push_back(
        {.offset = record.offset,
         .reason = error.message,
         .key = std::string(record.key),
         .value = record.value.transform([](auto v) { return std::string(v); })});
    return Next::kGoOn;
  };
  auto message = decode(record.key, record.value, record.meta);
  if (!message) return refuse(message.error());
  if (message->kind == MessageKind::kLead) {
    leadership_.pass(message->generation, record.offset);
    store_.put(keys_.leadership(), model::to_note(leadership_));
    at_.leader = message->generation;
    if (at_.first_pass == FirstPass::kFolding) return Next::kGoOn;
    if (leads()) {
      led_at_ = record.offset;
    } else {
      at_.yielded_ms = record.timestamp_ms;
    }
    return Next::kStop;
  }
  if (message->kind == MessageKind::kBegin) {
    if (message->generation == options_.generation) begin(record.offset);
    return Next::kGoOn;
  }
  const Fold::Duties duties{.sends = !done && leads(),
                            .touches = !done && at_.first_pass != FirstPass::kFolding,
                            .moves = !done};
  if (auto applied = fold_.apply(record.offset, *message, duties, effects); !applied) {
    refuse(applied.error());
  }
  return Next::kGoOn;
}

void PartitionWorker::reached(Offset position, int64_t at_ms) {
  if (halted_) return;
  const bool moved = position > at_.applied;
  if (!moved && at_ms < saved_newest_ms_ + kProgressEveryMs) return;
  if (moved) at_.whole = false;
  at_.applied = std::max(at_.applied, position);
  at_.newest_ms = std::max(at_.newest_ms, at_ms);
  advance_first_pass();
  save_progress();
  store_.commit();
}

// The log is not committed past the Begin record before every document is written: so who finds it
// among what is committed knows that they are.
void PartitionWorker::begin(Offset offset) {
  if (at_.begun_at) return;
  at_.begun_at = offset;
  if (offset < restored_until_) at_.first_pass = FirstPass::kDone;
}

void PartitionWorker::advance_first_pass() {
  if (at_.first_pass == FirstPass::kFolding && at_.begun_at && at_.applied >= at_.silent_until) {
    at_.first_pass = FirstPass::kWriting;
  }
}

std::optional<Work> PartitionWorker::fan_out(size_t limit) {
  if (!fanning_out()) return std::nullopt;
  if (at_.first_pass == FirstPass::kWriting) return touch_more_roots(limit);
  // A row that changes again and again comes behind the others with each change.
  const FanOut oldest = *std::ranges::min_element(fan_outs_, {}, &FanOut::since);
  Effects effects;
  fold_.fan_out(oldest, limit, effects);
  Work work;
  work.touched = effects.touched.all();
  work.can_wait = true;
  open_batch(oldest.since, work);
  fan_outs_ = fold_.fan_outs();
  save_progress();
  store_.commit();
  return work;
}

Work PartitionWorker::touch_more_roots(size_t limit) {
  Effects effects;
  const bool more = fold_.touch_roots(limit, at_.cursor, effects);
  Work work;
  work.touched = effects.touched.all();
  open_batch(*at_.begun_at, work);
  if (!more) {
    at_.first_pass = FirstPass::kDone;
    at_.cursor.clear();
  }
  save_progress();
  store_.commit();
  return work;
}

std::optional<Work> PartitionWorker::clean_up(size_t limit, int64_t now_ms) {
  if (!log_retention_ || !leads() || at_.first_pass != FirstPass::kDone || halted_) {
    return std::nullopt;
  }
  const auto oldest = model::window_at(partitioning_->every, *log_retention_ + model::kDropAfter,
                                       partitioning_->ahead, now_ms)
                          .oldest;
  if (!cleaning_) {
    if (oldest <= cleaned_) return std::nullopt;
    cleaning_ = oldest;
    clean_cursor_.clear();
  }
  Effects effects;
  if (!fold_.send_expired(limit, *cleaning_, clean_cursor_, effects)) {
    cleaned_ = *std::exchange(cleaning_, std::nullopt);
  }
  Work work;
  work.sends = std::move(effects.sends);
  work.can_wait = true;
  if (work.pieces() == 0) return work;
  open_batch(std::max(at_.applied, restored_until_), work);
  save_progress();
  store_.commit();
  return work;
}

std::optional<Write> PartitionWorker::write(std::string_view root, uint64_t changed_at_us,
                                            int64_t now_ms) {
  Write made{.root = std::string(root), .changed_at_us = changed_at_us};
  made.version = document_version(options_.generation, Offset(at_.applied.get() - 1));
  std::string document;
  const Built built = builder_.build(root, fold_, document);
  if (partitioning_) return place(std::move(made), built, std::move(document), now_ms);
  switch (built) {
    case Built::kWaiting:
      return std::nullopt;
    case Built::kNone:
      break;
    case Built::kDocument:
      made.document = std::move(document);
      break;
  }
  return made;
}

// One that waits leaves its former places all the same: that this batch is done must mean that it
// is there no more.
std::optional<Write> PartitionWorker::place(Write made, Built built, std::string document,
                                            int64_t now_ms) {
  const auto [every, time, routing, retain, ahead] = *partitioning_;
  const auto window = model::window_at(every, retain, ahead, now_ms);
  made.left = places_left(made.root);
  // What is older goes with its partition, and what is further ahead was never written.
  std::erase_if(made.left, [&window](const Place& place) {
    return place.period < window.oldest || place.period > window.newest;
  });
  std::string row;
  if (built != Built::kWaiting && fold_.root(made.root, row) == Known::kPresent) {
    TupleView tuple;
    tuple.parse(row);
    auto place = place_of(*partitioning_, tuple);
    const bool shown = built == Built::kDocument;
    if (!place) {
      if (shown) made.refused = why_no_place(*partitioning_, tuple);
    } else if (place->period > window.newest) {
      if (shown) made.refused = fmt::format("its time is too far ahead: {}", tuple.slot(time));
    } else if (place->period < window.oldest) {
      if (shown) ++expired_;
    } else {
      if (shown) made.document = std::move(document);
      made.place = std::move(place);
    }
  }
  if (!made.place && made.left.empty() && made.refused.empty()) return std::nullopt;
  return made;
}

// A place is forgotten when all up to the message by which it was left is committed. What was noted
// before the first pass is done with that pass.
std::vector<Place> PartitionWorker::places_left(std::string_view root) {
  const Offset done = committable();
  const bool passed = at_.begun_at && *at_.begun_at < done;
  return fold_.left(root, passed ? done : Offset(0));
}

void PartitionWorker::open_batch(Offset since, Work& work) {
  if (work.pieces() == 0) return;
  work.batch = at_.next_batch++;
  const Offset last(at_.applied.get() - 1);
  batches_.push_back({work.batch, since, last, work.pieces()});
  store_.put(keys_.pending(work.batch), encode_pending(since, last, work));
}

void PartitionWorker::acknowledge(uint64_t batch, size_t pieces) {
  const auto found = std::ranges::lower_bound(batches_, batch, {}, &Batch::number);
  CHECK(found != batches_.end() && found->number == batch && found->pieces >= pieces,
        "batch {} has no such piece", batch);
  found->pieces -= pieces;
  close_batches();
}

// Forgets finished batches, in order: were a later one forgotten first, a crash would send the
// earlier one's messages again behind the later one's. They would be late, and make questions.
void PartitionWorker::close_batches() {
  while (!batches_.empty() && batches_.front().pieces == 0) {
    store_.erase(keys_.pending(batches_.front().number));
    batches_.pop_front();
  }
}

Offset PartitionWorker::committable() const {
  Offset least = std::max(at_.applied, restored_until_);
  if (at_.begun_at && at_.first_pass != FirstPass::kDone) least = std::min(least, *at_.begun_at);
  for (const auto& batch : batches_) least = std::min(least, batch.since);
  for (const auto& change : fan_outs_) least = std::min(least, change.since);
  return least;
}

void PartitionWorker::save_progress() {
  saved_newest_ms_ = at_.newest_ms;
  store_.put(keys_.progress(), encode_progress(at_, log_));
}

}  // namespace searchsync::worker
