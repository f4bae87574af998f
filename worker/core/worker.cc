#include "worker/core/worker.h"

#include <algorithm>

#include "lib/base/check.h"
#include "worker/core/pending.h"
#include "worker/core/temporal.h"
#include "worker/core/version.h"

namespace searchsync::worker {
namespace {

constexpr int64_t kProgressEveryMs = 60'000;  // how exactly the age of an idle partition is known

}  // namespace

PartitionWorker::PartitionWorker(const model::Pipeline& pipeline, Options options, Store& store)
    : options_(options),
      store_(store),
      keys_(options.partition),
      fold_(pipeline, {options.partition, options.partitions, options.inline_edges_max}, store),
      builder_(pipeline) {}

Offset PartitionWorker::start(const LogState& log) {
  log_ = log.identity;
  restored_until_ = log.committed;
  oldest_usable_ms_ = log.oldest_usable_ms;
  if (!load(log)) {
    store_.clear();
    at_ = {.began_ms = log.now_ms, .silent_until = log.end};
  }
  forget_what_others_finished();
  advance_first_pass();
  fan_outs_ = fold_.fan_outs();
  save_progress();
  store_.commit();
  return at_.applied;
}

// False if there is no state, or it is of another log, or so old that it may hold what was deleted
// since: where the deletion itself is gone by now, nobody would take it out.
bool PartitionWorker::load(const LogState& log) {
  std::string saved;
  if (!store_.get(keys_.progress(), saved)) return false;
  auto progress = decode_progress(saved, log_);
  if (!progress || progress->applied > log.end) return false;
  at_ = std::move(*progress);
  return at_.applied == log.end || std::max(at_.began_ms, at_.newest_ms) >= log.oldest_usable_ms;
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
  if (at_.begun_at >= Offset(0) && restored_until_ > at_.begun_at) {
    at_.first_pass = FirstPass::kDone;
  }
}

std::vector<Work> PartitionWorker::resume() {
  std::vector<Work> all;
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
    apply(record, effects, work);
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
                        "what it needs. Build the index anew from its sources, with a new "
                        "document log",
                        options_.partition.get(), record.offset.get(), iso(record.timestamp_ms),
                        iso(oldest_usable_ms_))};
  return false;
}

void PartitionWorker::apply(const LogRecord& record, Effects& effects, Work& work) {
  CHECK(record.offset >= at_.applied, "offset {} comes after {}", record.offset.get(),
        at_.applied.get());
  const bool done = record.offset < restored_until_;
  at_.whole = at_.whole && record.offset == at_.applied;
  at_.applied = Offset(record.offset.get() + 1);
  at_.newest_ms = std::max(at_.newest_ms, record.timestamp_ms);
  const auto refuse = [&](const Error& error) {
    if (done) return;
    work.refused.push_back(
        {.offset = record.offset,
         .reason = error.message,
         .key = std::string(record.key),
         .value = record.value.transform([](auto v) { return std::string(v); })});
  };
  auto message = decode(record.key, record.value, record.meta);
  if (!message) return refuse(message.error());
  if (message->kind == MessageKind::kLead) {
    at_.leader = message->generation;
    return;
  }
  if (message->kind == MessageKind::kBegin) {
    if (message->generation == options_.generation) begin(record.offset);
    return;
  }
  const Fold::Duties duties{.sends = !done && leads(),
                            .touches = !done && at_.first_pass != FirstPass::kFolding};
  if (auto applied = fold_.apply(record.offset, *message, duties, effects); !applied) {
    refuse(applied.error());
  }
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
  if (at_.begun_at >= Offset(0)) return;
  at_.begun_at = offset;
  if (offset < restored_until_) at_.first_pass = FirstPass::kDone;
}

void PartitionWorker::advance_first_pass() {
  if (at_.first_pass == FirstPass::kFolding && at_.begun_at >= Offset(0) &&
      at_.applied >= at_.silent_until) {
    at_.first_pass = FirstPass::kWriting;
  }
}

std::optional<Work> PartitionWorker::fan_out(size_t limit) {
  if (!fanning_out()) return std::nullopt;
  if (at_.first_pass == FirstPass::kWriting) return touch_more_roots(limit);
  Effects effects;
  FanOut followed;
  CHECK(fold_.fan_out(limit, effects, followed));
  Work work;
  work.touched = effects.touched.all();
  work.can_wait = true;
  open_batch(followed.since, work);
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
  open_batch(at_.begun_at, work);
  if (!more) {
    at_.first_pass = FirstPass::kDone;
    at_.cursor.clear();
  }
  save_progress();
  store_.commit();
  return work;
}

std::optional<Write> PartitionWorker::write(std::string_view root, uint64_t changed_at_us) {
  Write made{.root = std::string(root), .changed_at_us = changed_at_us};
  std::string document;
  switch (builder_.build(root, fold_, document)) {
    case Built::kWaiting:
      return std::nullopt;
    case Built::kNone:
      break;
    case Built::kDocument:
      made.document = std::move(document);
      break;
  }
  made.version = document_version(options_.generation, Offset(at_.applied.get() - 1));
  return made;
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
  if (at_.begun_at >= Offset(0) && at_.first_pass != FirstPass::kDone) {
    least = std::min(least, at_.begun_at);
  }
  for (const auto& batch : batches_) least = std::min(least, batch.since);
  for (const auto& change : fan_outs_) least = std::min(least, change.since);
  return least;
}

void PartitionWorker::save_progress() {
  saved_newest_ms_ = at_.newest_ms;
  store_.put(keys_.progress(), encode_progress(at_, log_));
}

}  // namespace searchsync::worker
