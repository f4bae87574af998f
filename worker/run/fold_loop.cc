#include "worker/run/fold_loop.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <random>

#include "lib/base/check.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"

namespace searchsync::worker {
namespace {

using std::chrono::milliseconds;

constexpr std::array kUrgencies = {Urgency::kDirect, Urgency::kFanOut};
constexpr size_t kRecordsMax = 500;           // of one poll
constexpr size_t kBatchesInFlightMax = 2000;  // of all partitions
constexpr size_t kDocumentsMax = 50'000;      // waiting to be written
constexpr size_t kFanOutEdges = 200;          // followed at once
constexpr size_t kFanOutDocuments = 2'000;    // no more is followed while so many wait
constexpr size_t kCleanedUp = 500;            // rows looked at in one step
constexpr milliseconds kLongestWait{10'000};  // of a document for further changes
// Whoever reads their own write waits for commits, one after the other; see
// docs/decisions/0008-reading-your-own-writes.md. Where nothing has moved there is none.
constexpr milliseconds kCommitEvery{20};
constexpr milliseconds kCommitAgain{500};  // where it failed
constexpr milliseconds kIdle{100};
constexpr milliseconds kShowEvery{1'000};
constexpr milliseconds kFinish{10'000};
// A Lead record that is older is of a hand-over that has long been decided.
constexpr milliseconds kOldLead = 3 * model::kYield;
constexpr Backoff::Options kPushedBack{.first = milliseconds(50), .longest = milliseconds(5'000)};

uint64_t microseconds_now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

int64_t FoldLoop::milliseconds_now() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

FoldLoop::FoldLoop(Settings settings, const model::Pipeline& pipeline, StateDatabase& states,
                   http::AsyncClient& engine, WorkerMetrics& metrics, http::Health& health)
    : settings_(std::move(settings)),
      pipeline_(pipeline),
      states_(states),
      metrics_(metrics),
      health_(health),
      bulk_({.index = settings_.index,
             .documents_max = static_cast<size_t>(settings_.bulk.documents_max),
             .bytes_max = static_cast<size_t>(settings_.bulk.bytes_max),
             .delay = settings_.bulk.delay,
             .requests_max = settings_.bulk.requests_in_flight,
             .partitions = settings_.partitioned},
            engine, std::random_device()()) {}

Result<void> FoldLoop::start() {
  auto config = settings_.kafka;
  config.client_id = settings_.group;
  ASSIGN_OR_RETURN(outbox_, Outbox::create(config, [this](const Owner& owner) {
                     if (Assigned* assigned = find(owner.assignment)) {
                       assigned->worker->acknowledge(owner.batch);
                     }
                   }));
  ASSIGN_OR_RETURN(consumer_,
                   kafka::Consumer::join(config, settings_.group,
                                         {.session_timeout = settings_.session_timeout}, *this));
  return consumer_->subscribe({settings_.document_log});
}

Result<void> FoldLoop::run(std::stop_token stop) {
  RETURN_IF_ERROR(start());
  while (!stop.stop_requested()) {
    auto stepped = step(Clock::now());
    if (!stepped) return stepped;
  }
  return finish();
}

Result<void> FoldLoop::step(Clock::time_point now) {
  bulk_.collect(now, [&](BulkResult&& result) { on_result(std::move(result), now); });
  RETURN_IF_ERROR(outbox_->poll(milliseconds(0)));
  fan_out();
  clean_up();
  build(now, documents_.size() >= kDocumentsMax / 2 ||
                 batches_under_way() >= kBatchesInFlightMax / 2 || taking_over());
  auto next = bulk_.send(now);
  for (const auto urgency : kUrgencies) {
    if (bulk_.has_room(urgency)) next = std::min(next, documents_.next_due(urgency));
  }
  if (now >= next_commit_ && !consumer_->committing()) {
    next_commit_ = now + kCommitEvery;
    commit(kafka::CommitMode::kAsync);
  }
  if (now >= next_show_) show(now);
  if (blocked()) {
    ASSIGN_OR_RETURN(const bool polls, hold_back_.hold(*consumer_, now, assignments_));
    if (polls) RETURN_IF_ERROR(read(milliseconds(0)));
    RETURN_IF_ERROR(outbox_->poll(milliseconds(1)));
  } else {
    RETURN_IF_ERROR(hold_back_.let_go(*consumer_));
    RETURN_IF_ERROR(pause_and_resume(now));
    const bool waiting = !bulk_.idle() || !outbox_->idle();
    const auto idle = is_committed() ? kIdle : kCommitEvery;
    const auto until = std::chrono::ceil<milliseconds>(next - now);
    RETURN_IF_ERROR(read(std::clamp(until, milliseconds(0), waiting ? milliseconds(2) : idle)));
  }
  if (failure_) return std::unexpected(*failure_);
  return {};
}

// Applies what has arrived, a run of one partition's messages at a time.
Result<void> FoldLoop::read(milliseconds timeout) {
  auto polled = consumer_->poll(timeout, kRecordsMax);
  if (!polled) {
    const auto& error = polled.error();
    if (error.retryable() || error.code == ErrorCode::kNotFound) return {};
    return std::unexpected(error);
  }
  std::vector<LogRecord> records;
  Partition partition;
  for (const auto& event : *polled) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message == nullptr) {
      const auto& end = std::get<kafka::PartitionEnd>(event);
      apply(partition, std::exchange(records, {}));
      Assigned* assigned = find(end.partition);
      if (assigned != nullptr && !assigned->yields_until) {
        assigned->worker->reached(end.offset, milliseconds_now());
        assigned->behind_since.reset();
        if (!assigned->worker->halted()) assigned->lag.at_end();
      }
      continue;
    }
    if (message->partition != partition) {
      apply(partition, std::exchange(records, {}));
      partition = message->partition;
    }
    records.push_back({.offset = message->offset,
                       .key = message->key.value_or(std::string_view()),
                       .value = message->value,
                       .meta = message->value ? std::nullopt : message->header(kMetaHeader.data()),
                       .timestamp_ms = message->timestamp_ms});
  }
  apply(partition, records);
  return {};
}

// What comes after a record at which the partition yields is dropped, and fetched again afterwards.
void FoldLoop::apply(Partition partition, std::span<const LogRecord> records) {
  Assigned* assigned = find(partition);
  if (records.empty() || assigned == nullptr) return;
  PartitionWorker& worker = *assigned->worker;
  while (!records.empty() && !assigned->yields_until && !worker.halted()) {
    const auto yielded_ms = worker.yielded_ms();
    const auto led_at = worker.led_at();
    take(*assigned, worker.apply(records));
    show_halt(*assigned);
    const auto rest = std::ranges::lower_bound(records, worker.applied(), {}, &LogRecord::offset);
    const auto applied = static_cast<size_t>(rest - records.begin());
    metrics_.messages.add(static_cast<double>(applied));
    if (applied > 0) note_applied(*assigned, records.first(applied));
    records = records.subspan(applied);
    const bool led = worker.led_at() != led_at && worker.taking_over();
    if (led || (worker.yielded_ms() != yielded_ms &&
                milliseconds_now() - worker.yielded_ms() < kOldLead.count())) {
      yield(*assigned, model::kYield);
    }
  }
  if (worker.halted() && !records.empty()) note_applied(*assigned, records);  // for its lag
}

void FoldLoop::show_halt(const Assigned& assigned) {
  const auto& halted = assigned.worker->halted();
  if (!halted) return;
  health_.not_ready(fmt::format("document log partition {}", assigned.partition.get()),
                    halted->message);
}

void FoldLoop::note_applied(Assigned& assigned, std::span<const LogRecord> records) {
  const Offset next(records.back().offset.get() + 1);
  assigned.lag.took(next, records.front().timestamp_ms);
  const auto end = consumer_->fetched_end({settings_.document_log, assigned.partition});
  if (end && next >= *end) {
    assigned.behind_since.reset();
    assigned.lag.at_end();
  } else if (!assigned.behind_since) {
    assigned.behind_since = Clock::now();
  }
}

size_t FoldLoop::batches_under_way() const {
  size_t batches = 0;
  for (const auto& [id, assigned] : assigned_) batches += assigned.worker->batches_under_way();
  return batches;
}

bool FoldLoop::blocked() const {
  return documents_.size() >= kDocumentsMax || outbox_->full() ||
         batches_under_way() >= kBatchesInFlightMax;
}

void FoldLoop::take(Assigned& assigned, Work work) {
  const Owner owner{assigned.assignment, work.batch};
  for (const auto& send : work.sends) {
    const kafka::Header meta{kMetaHeader, send.message.meta};
    outbox_->send(settings_.document_log, send.partition, send.message.key, send.message.value,
                  std::span(&meta, send.message.value ? 0 : 1), owner);
  }
  // Far from the end of the log the next messages will touch many of the documents again: each
  // waits as long as that has lasted, so that it comes at most twice as late and is written far
  // less often.
  const auto now = Clock::now();
  const auto behind = now - assigned.behind_since.value_or(now);
  const auto due = now + std::min<Clock::duration>(behind, kLongestWait);
  for (auto& touch : work.touched) {
    documents_.add({.assignment = owner.assignment,
                    .batches = {owner.batch},
                    .root = std::move(touch.root),
                    .changed_at_us = touch.changed_at_us,
                    .urgency = work.can_wait ? Urgency::kFanOut : Urgency::kDirect},
                   due);
  }
  for (const auto& refused : work.refused) {
    const auto binding = binding_of(refused);
    log::warning("document log {} partition {} offset {}: dead letter: {}", settings_.document_log,
                 assigned.partition.get(), refused.offset.get(), refused.reason);
    give_up({.stage = dead_letters::kFold,
             .binding = binding,
             .topic = settings_.document_log,
             .partition = assigned.partition,
             .offset = refused.offset,
             .log = settings_.document_log,
             .reason = refused.reason,
             .key = refused.key,
             .value = refused.value},
            owner);
  }
}

// Empty if it cannot be told.
std::string FoldLoop::binding_of(const Refused& refused) const {
  const auto message =
      decode(refused.key, refused.value.value_or(""), std::optional<std::string_view>());
  const bool known = message && message->binding < pipeline_.bindings.size();
  return known ? pipeline_.binding(message->binding).name : "";
}

void FoldLoop::give_up(const dead_letters::Letter& letter, Owner owner) {
  std::vector<std::string> numbers;
  metrics_.dead_letters(std::string(letter.binding)).add();
  outbox_->send(settings_.dead_letter_topic, kafka::kPartitionByKey, letter.key, letter.value,
                headers_of(letter, numbers), owner);
}

void FoldLoop::on_result(BulkResult&& result, Clock::time_point now) {
  QueuedDocument& document = result.document;
  Assigned* assigned = find(document.assignment);
  if (assigned == nullptr) return;  // the partition is somebody else's now
  switch (result.outcome.outcome) {
    case elastic::Outcome::kApplied:
      if (!document.refused.empty()) return reject(std::move(document), result.lines);
      metrics_.applied.add();
      if (document.changed_at_us != 0) {
        const double seconds = (static_cast<double>(microseconds_now()) -
                                static_cast<double>(document.changed_at_us)) /
                               1e6;
        metrics_.indexed_seconds.observe(std::max(0.0, seconds));
      }
      acknowledge(document);
      return;
    case elastic::Outcome::kStale:
      if (!document.refused.empty()) return reject(std::move(document), result.lines);
      metrics_.stale.add();
      acknowledge(document);
      return;
    case elastic::Outcome::kRetry:
    case elastic::Outcome::kFatal: {
      metrics_.retried.add();
      Backoff backoff(kPushedBack,
                      stable_hash(document.root, static_cast<uint64_t>(document.attempts)));
      auto wait = backoff.next();
      for (int i = 0; i < std::min(document.attempts, 10); ++i) wait = backoff.next();
      ++document.attempts;
      documents_.add(std::move(document), now + wait);
      return;
    }
    case elastic::Outcome::kRejected:
      document.refused = result.outcome.reason;
      return reject(std::move(document), result.lines);
  }
}

// To the dead letters. The oldest of its batches is done with that, and none is committed before.
void FoldLoop::reject(QueuedDocument document, std::string_view lines) {
  const Assigned* assigned = find(document.assignment);
  if (assigned == nullptr) return;
  metrics_.rejected.add();
  log::warning("index {}: document {} refused: {}", settings_.index.get(), document.root,
               document.refused);
  std::ranges::sort(document.batches);
  give_up({.stage = dead_letters::kIndex,
           .binding = "",
           .topic = settings_.document_log,
           .partition = assigned->partition,
           .offset = Offset(assigned->worker->applied().get() - 1),
           .log = settings_.document_log,
           .reason = document.refused,
           .key = document.root,
           .value = lines},
          {document.assignment, document.batches.front()});
  acknowledge(document, 1);
}

// Of all its batches but the first `skipped`.
void FoldLoop::acknowledge(const QueuedDocument& document, size_t skipped) {
  Assigned* assigned = find(document.assignment);
  if (assigned == nullptr) return;
  for (size_t i = skipped; i < document.batches.size(); ++i) {
    assigned->worker->acknowledge(document.batches[i]);
  }
}

// As late as possible: what comes in while the engine is busy is in the document already.
void FoldLoop::build(Clock::time_point now, bool early) {
  for (const auto urgency : kUrgencies) {
    while (bulk_.has_room(urgency)) {
      auto document = documents_.take(urgency, now, early);
      if (!document) break;
      Assigned* assigned = find(document->assignment);
      if (assigned == nullptr) continue;  // the partition is somebody else's now
      const auto expired = assigned->worker->expired();
      auto write =
          assigned->worker->write(document->root, document->changed_at_us, milliseconds_now());
      metrics_.expired.add(static_cast<double>(assigned->worker->expired() - expired));
      if (!write) {
        acknowledge(*document);
        continue;
      }
      document->refused = std::move(write->refused);
      if (!document->refused.empty() && !write->place && write->left.empty()) {
        reject(std::move(*document), "");
      } else {
        bulk_.add(std::move(*document), *write, now);
      }
    }
  }
}

// One chunk of one change between two polls, and only while few documents wait; the partitions in
// turn, for one may never come to an end.
void FoldLoop::fan_out() {
  if (documents_.size() >= kFanOutDocuments) return;
  auto next = assigned_.upper_bound(fanned_out_);
  for (size_t i = 0; i < assigned_.size(); ++i, ++next) {
    if (next == assigned_.end()) next = assigned_.begin();
    if (auto work = next->second.worker->fan_out(kFanOutEdges)) {
      fanned_out_ = next->first;
      take(next->second, std::move(*work));
      return;
    }
  }
}

std::optional<Offset> FoldLoop::to_commit(const Assigned& assigned) {
  const Offset done = assigned.worker->committable();
  // Whose state was lost is behind what was committed before: it does not know who led there.
  const bool known = done <= assigned.worker->applied();
  return known && done > assigned.committed ? std::optional(done) : std::nullopt;
}

bool FoldLoop::is_committed() const {
  return std::ranges::none_of(
      assigned_, [](const auto& entry) { return to_commit(entry.second).has_value(); });
}

// Nobody waits for it.
void FoldLoop::clean_up() {
  if (!settings_.log_retention || !documents_.empty() || !outbox_->idle()) return;
  for (auto& [assignment, assigned] : assigned_) {
    if (assigned.behind_since) continue;
    if (auto work = assigned.worker->clean_up(kCleanedUp, milliseconds_now())) {
      metrics_.cleaned.add(static_cast<double>(work->sends.size()));
      take(assigned, std::move(*work));
      return;
    }
  }
}

void FoldLoop::commit(kafka::CommitMode mode) {
  std::vector<kafka::TopicOffset> offsets;
  for (auto& [assignment, assigned] : assigned_) {
    const auto done = to_commit(assigned);
    if (!done) continue;
    assigned.committed = *done;
    offsets.push_back({settings_.document_log, assigned.partition, *done,
                       model::to_note(assigned.worker->leadership())});
  }
  if (offsets.empty()) return;
  if (auto done = consumer_->commit(offsets, mode); !done) on_commit_failed(done.error());
}

// What is not committed is done again by whoever comes next: a delay, not a loss. But as long as
// the partitions are ours all is committed again, for there may be no further message to do it.
void FoldLoop::on_commit_failed(const Error& error) {
  const auto level = error.code == ErrorCode::kFenced ? log::Level::kDebug : log::Level::kWarning;
  log::write(level, "document log {}: commit failed: {}",
             fmt::make_format_args(settings_.document_log, error.message));
  for (auto& [assignment, assigned] : assigned_) assigned.committed = Offset(0);
  next_commit_ = Clock::now() + kCommitAgain;
}

void FoldLoop::show(Clock::time_point now) {
  next_show_ = now + kShowEvery;
  size_t fanning = 0;
  for (auto& [id, assigned] : assigned_) {
    fanning += assigned.worker->fanning_out() ? 1 : 0;
    const auto lag = assigned.lag.seconds(assigned.worker->committable(), milliseconds_now());
    if (lag) metrics_.lag("fold", settings_.document_log, assigned.partition.get()).set(*lag);
  }
  metrics_.in_flight.set(static_cast<double>(batches_under_way()));
  metrics_.documents_waiting.set(static_cast<double>(documents_.size()));
  metrics_.fan_outs.set(static_cast<double>(fanning));
  metrics_.partitions.set(static_cast<double>(assigned_.size()));
  metrics_.state_bytes.set(static_cast<double>(states_.bytes()));
  const auto& totals = bulk_.totals();
  metrics_.bulk_requests.add(static_cast<double>(totals.requests - shown_.requests));
  metrics_.bulk_failures.add(static_cast<double>(totals.failed_requests - shown_.failed_requests));
  metrics_.bulk_bytes.add(static_cast<double>(totals.bytes - shown_.bytes));
  shown_ = totals;
  for (const double seconds : bulk_.take_latencies()) metrics_.bulk_seconds.observe(seconds);
  if (bulk_.trouble().empty()) {
    health_.ready("elasticsearch");
  } else {
    health_.not_ready("elasticsearch", bulk_.trouble());
  }
  const auto unreachable = consumer_->connection_error();
  if (unreachable) {
    health_.not_ready("kafka document log", unreachable->message);
  } else {
    health_.ready("kafka document log");
  }
}

Result<void> FoldLoop::finish() {
  const auto deadline = Clock::now() + kFinish;
  for (auto now = Clock::now(); now < deadline; now = Clock::now()) {
    bulk_.collect(now, [&](BulkResult&& result) { on_result(std::move(result), now); });
    RETURN_IF_ERROR(outbox_->poll(milliseconds(1)));
    build(now, true);
    bulk_.send(now);
    if (bulk_.idle() && outbox_->idle() && documents_.empty()) break;
  }
  consumer_->close();
  return states_.flush();
}

}  // namespace searchsync::worker
