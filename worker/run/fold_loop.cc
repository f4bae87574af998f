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
constexpr milliseconds kLongestWait{10'000};  // of a document for further changes
constexpr milliseconds kKafkaTimeout{15'000};
constexpr milliseconds kCommitEvery{500};
constexpr milliseconds kShowEvery{1'000};
constexpr milliseconds kStillMember{20'000};  // blocked longer than this, partitions are paused
constexpr milliseconds kFinish{10'000};
constexpr Backoff::Options kPushedBack{.first = milliseconds(50), .longest = milliseconds(5'000)};

// The document log keeps what compaction may take for a week; a day of it is left for the work
// itself.
constexpr milliseconds kLongestOutage = std::chrono::days(6);

int64_t milliseconds_now() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

uint64_t microseconds_now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

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
             .requests_max = settings_.bulk.requests_in_flight},
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
  build(now,
        documents_.size() >= kDocumentsMax / 2 || batches_under_way() >= kBatchesInFlightMax / 2);
  auto next = bulk_.send(now);
  for (const auto urgency : kUrgencies) {
    if (bulk_.has_room(urgency)) next = std::min(next, documents_.next_due(urgency));
  }
  if (now >= next_commit_) {
    commit(kafka::CommitMode::kAsync);
    next_commit_ = now + kCommitEvery;
  }
  if (now >= next_show_) show(now);
  if (blocked()) {
    hold_back(now);
    RETURN_IF_ERROR(outbox_->poll(milliseconds(1)));
  } else {
    if (std::exchange(paused_, false)) RETURN_IF_ERROR(consumer_->resume(consumer_->assignment()));
    blocked_since_.reset();
    const bool waiting = !bulk_.idle() || !outbox_->idle();
    const auto until = std::chrono::ceil<milliseconds>(next - now);
    RETURN_IF_ERROR(
        read(std::clamp(until, milliseconds(0), waiting ? milliseconds(2) : milliseconds(100))));
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
  int64_t newest_ms = 0;
  for (const auto& event : *polled) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message == nullptr) {
      const auto& end = std::get<kafka::PartitionEnd>(event);
      apply(partition, std::exchange(records, {}), newest_ms);
      if (Assigned* assigned = find(end.partition)) {
        assigned->worker->reached(end.offset, milliseconds_now());
        assigned->behind_since.reset();
        show_lag(*assigned, 0);
      }
      continue;
    }
    if (message->partition != partition) {
      apply(partition, std::exchange(records, {}), newest_ms);
      partition = message->partition;
    }
    records.push_back({.offset = message->offset,
                       .key = message->key.value_or(std::string_view()),
                       .value = message->value,
                       .meta = message->value ? std::nullopt : message->header(kMetaHeader.data()),
                       .timestamp_ms = message->timestamp_ms});
    newest_ms = message->timestamp_ms;
  }
  apply(partition, records, newest_ms);
  return {};
}

void FoldLoop::apply(Partition partition, const std::vector<LogRecord>& records,
                     int64_t newest_ms) {
  Assigned* assigned = find(partition);
  if (records.empty() || assigned == nullptr) return;
  metrics_.messages.add(static_cast<double>(records.size()));
  show_lag(*assigned, static_cast<double>(milliseconds_now() - newest_ms) / 1e3);
  const auto end = consumer_->fetched_end({settings_.document_log, partition});
  if (end && records.back().offset.get() + 1 >= end->get()) {
    assigned->behind_since.reset();
  } else if (!assigned->behind_since) {
    assigned->behind_since = Clock::now();
  }
  take(*assigned, assigned->worker->apply(records));
  if (const auto& halted = assigned->worker->halted()) {
    health_.not_ready(fmt::format("document log partition {}", partition.get()), halted->message);
  }
}

void FoldLoop::show_lag(Assigned& assigned, double seconds) {
  if (!assigned.lag) {
    assigned.lag = metrics_.lag("fold", settings_.document_log, assigned.partition.get());
  }
  assigned.lag->set(std::max(0.0, seconds));
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

// Without polling the group would give our partitions away: after a while they are paused, so that
// polling brings nothing but news of the group.
void FoldLoop::hold_back(Clock::time_point now) {
  if (!blocked_since_) blocked_since_ = now;
  if (now - *blocked_since_ < kStillMember) return;
  if (!paused_) {
    paused_ = consumer_->pause(consumer_->assignment()).has_value();
    return;
  }
  (void)consumer_->poll(milliseconds(0), 1);
}

std::vector<kafka::StartOffset> FoldLoop::on_assigned(
    std::span<const kafka::TopicPartition> partitions) {
  std::vector<kafka::StartOffset> starts;
  for (const auto& partition : partitions) {
    auto start = assign(partition.partition);
    if (!start) failure_ = start.error();
    starts.push_back(start.value_or(kafka::StartOffset::beginning()));
  }
  return starts;
}

Result<kafka::StartOffset> FoldLoop::assign(Partition partition) {
  const kafka::TopicPartition place{settings_.document_log, partition};
  ASSIGN_OR_RETURN(const auto committed, consumer_->committed(std::span(&place, 1), kKafkaTimeout));
  ASSIGN_OR_RETURN(const auto ends, consumer_->watermarks(place, kKafkaTimeout));
  forget(partition);
  const uint64_t assignment = ++assignments_;
  Assigned& assigned = assigned_[assignment];
  assigned.assignment = assignment;
  assigned.partition = partition;
  assigned.committed = committed.front().value_or(Offset(0));
  assigned.store = states_.partition(partition);
  assigned.worker = std::make_unique<PartitionWorker>(
      pipeline_,
      PartitionWorker::Options{.partition = partition,
                               .partitions = settings_.partitions,
                               .generation = settings_.generation},
      *assigned.store);
  const auto from =
      assigned.worker->start({.identity = settings_.document_log,
                              .committed = assigned.committed,
                              .end = ends.high,
                              .now_ms = milliseconds_now(),
                              .oldest_usable_ms = milliseconds_now() - kLongestOutage.count()});
  log::info("document log {} partition {}: assigned, state at {}, committed {}, end {}",
            settings_.document_log, partition.get(), from.get(), assigned.committed.get(),
            ends.high.get());
  for (auto& work : assigned.worker->resume()) take(assigned, std::move(work));
  return from <= ends.low ? kafka::StartOffset::beginning() : kafka::StartOffset::exact(from);
}

void FoldLoop::on_revoked(std::span<const kafka::TopicPartition> partitions) {
  commit(kafka::CommitMode::kSync);
  on_lost(partitions);
}

void FoldLoop::on_lost(std::span<const kafka::TopicPartition> partitions) {
  for (const auto& partition : partitions) {
    log::info("document log {} partition {}: given up", settings_.document_log,
              partition.partition.get());
    forget(partition.partition);
  }
}

void FoldLoop::forget(Partition partition) {
  std::erase_if(assigned_, [&](const auto& entry) { return entry.second.partition == partition; });
  metrics_.no_lag("fold", settings_.document_log, partition.get());
}

FoldLoop::Assigned* FoldLoop::find(Partition partition) {
  const auto found = std::ranges::find_if(
      assigned_, [&](const auto& entry) { return entry.second.partition == partition; });
  return found == assigned_.end() ? nullptr : &found->second;
}

FoldLoop::Assigned* FoldLoop::find(uint64_t assignment) {
  const auto found = assigned_.find(assignment);
  return found == assigned_.end() ? nullptr : &found->second;
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
    std::vector<std::string> numbers;
    const DeadLetter letter{.stage = "fold",
                            .topic = settings_.document_log,
                            .partition = assigned.partition,
                            .offset = refused.offset,
                            .reason = refused.reason};
    metrics_.dead_letters("").add();
    log::warning("document log {} partition {} offset {}: dead letter: {}", settings_.document_log,
                 assigned.partition.get(), refused.offset.get(), refused.reason);
    outbox_->send(settings_.dead_letter_topic, kafka::kPartitionByKey, refused.key, refused.value,
                  dead_letter_headers(letter, numbers), owner);
  }
}

void FoldLoop::on_result(BulkResult&& result, Clock::time_point now) {
  QueuedDocument& document = result.document;
  Assigned* assigned = find(document.assignment);
  if (assigned == nullptr) return;  // the partition is somebody else's now
  switch (result.outcome.outcome) {
    case elastic::Outcome::kApplied:
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
      break;
  }
  metrics_.rejected.add();
  metrics_.dead_letters("").add();
  log::warning("index {}: document {} refused: {}", settings_.index.get(), document.root,
               result.outcome.reason);
  std::vector<std::string> numbers;
  const DeadLetter letter{.stage = "index",
                          .topic = settings_.document_log,
                          .partition = assigned->partition,
                          .offset = Offset(assigned->worker->applied().get() - 1),
                          .reason = result.outcome.reason};
  // The oldest of its batches is done with the dead letter, and none is committed before that one.
  std::ranges::sort(document.batches);
  outbox_->send(settings_.dead_letter_topic, kafka::kPartitionByKey, document.root, result.lines,
                dead_letter_headers(letter, numbers),
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
      if (const auto write = assigned->worker->write(document->root, document->changed_at_us)) {
        bulk_.add(std::move(*document), *write, now);
      } else {
        acknowledge(*document);
      }
    }
  }
}

// One chunk of one change between two polls, and only while few documents wait.
void FoldLoop::fan_out() {
  if (documents_.size() >= kFanOutDocuments) return;
  for (auto& [assignment, assigned] : assigned_) {
    if (auto work = assigned.worker->fan_out(kFanOutEdges)) {
      take(assigned, std::move(*work));
      return;
    }
  }
}

void FoldLoop::commit(kafka::CommitMode mode) {
  std::vector<kafka::TopicOffset> offsets;
  for (auto& [assignment, assigned] : assigned_) {
    const Offset done = assigned.worker->committable();
    if (done <= assigned.committed) continue;
    assigned.committed = done;
    offsets.push_back({settings_.document_log, assigned.partition, done});
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
}

void FoldLoop::show(Clock::time_point now) {
  next_show_ = now + kShowEvery;
  size_t fanning = 0;
  for (const auto& [id, assigned] : assigned_) fanning += assigned.worker->fanning_out() ? 1 : 0;
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
