#include "worker/run/route_loop.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/dead_letters/letter.h"
#include "worker/core/fold.h"
#include "worker/core/message.h"

namespace searchsync::worker {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr size_t kRecordsMax = 500;
constexpr milliseconds kCommitEvery{20};  // as fold_loop.cc has it
constexpr milliseconds kCommitAgain{500};
constexpr milliseconds kIdle{100};
constexpr milliseconds kShowEvery{1'000};
constexpr milliseconds kCountMax{20'000};
constexpr milliseconds kLookEvery{2'000};
constexpr milliseconds kLookMax{2'000};
constexpr milliseconds kFinish{10'000};

int64_t milliseconds_now() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool at_limit(const model::ErrorsSpec& errors, int64_t dead_letters) {
  return dead_letters >= std::max<int64_t>(1, errors.max_dead_letters);
}

}  // namespace

RouteLoop::RouteLoop(Settings settings, const model::Pipeline& pipeline,
                     std::span<const model::SourceBinding> bindings, WorkerMetrics& metrics,
                     http::Health& health)
    : settings_(std::move(settings)), metrics_(metrics), health_(health) {
  for (BindingId id = 0; id < pipeline.bindings.size(); ++id) {
    const auto& name = pipeline.binding(id).name;
    const auto binding =
        std::ranges::find(bindings, name, [](const auto& b) { return b.metadata.name; });
    CHECK(binding != bindings.end());
    routes_[model::row_topic(*binding)].push_back({.binding = id,
                                                   .name = name,
                                                   .decoder = Decoder(*binding),
                                                   .errors = binding->spec.errors,
                                                   .rows = metrics.rows(name),
                                                   .bytes = metrics.row_bytes(name)});
  }
}

Result<void> RouteLoop::start() {
  auto config = settings_.kafka;
  config.client_id = settings_.group;
  // Sources may be made after we start: how soon they are seen.
  config.extra.try_emplace("topic.metadata.refresh.interval.ms", "3000");
  ASSIGN_OR_RETURN(outbox_,
                   Outbox::create(config, [this](const Owner& owner) { acknowledge(owner); }));
  open_letters_ = std::make_unique<OpenLetters>(config, settings_.dead_letter_topic,
                                                dead_letters::kDecode, settings_.document_log);
  ASSIGN_OR_RETURN(consumer_,
                   kafka::Consumer::join(config, settings_.group,
                                         {.session_timeout = settings_.session_timeout}, *this));
  RETURN_IF_ERROR(count_dead_letters());
  std::vector<std::string> topics;
  for (const auto& [topic, routes] : routes_) topics.push_back(topic);
  return consumer_->subscribe(topics);
}

// A limit that a restart forgets would be none.
Result<void> RouteLoop::count_dead_letters() {
  const auto counted = open_letters_->look(kCountMax);
  if (!counted) {
    health_.not_ready("kafka sources", counted.error().message);
    return std::unexpected(counted.error());
  }
  if (!*counted) log::warning("topic {} is long: not all counted", settings_.dead_letter_topic);
  for (auto& [topic, routes] : routes_) {
    for (auto& route : routes) {
      metrics_.halted(route.name).set(0);
      health_.ready("binding " + route.name);
      route.dead_letters = open_letters_->count(route.name);
      if (route.dead_letters == 0 || !at_limit(route.errors, route.dead_letters)) continue;
      halt(route, topic, fmt::format("halted with {} open dead letters", route.dead_letters));
    }
  }
  return {};
}

// Whether somebody has dealt with so many that a binding is below its limit again. All that we have
// given up on must be in the topic, or it would look as if it had been dealt with.
bool RouteLoop::may_go_on(Time now) {
  if (now < next_look_ || !outbox_->idle()) return false;
  next_look_ = now + kLookEvery;
  const auto any = [&](const auto& wanted) {
    return std::ranges::any_of(
        routes_, [&](const auto& entry) { return std::ranges::any_of(entry.second, wanted); });
  };
  if (!any([](const Route& route) { return route.halted; })) return false;
  if (!open_letters_->look(kLookMax).value_or(false)) return false;
  return any([&](const Route& route) {
    return route.halted && route.errors.policy == model::ErrorPolicy::kDeadLetter &&
           !at_limit(route.errors, open_letters_->count(route.name));
  });
}

Result<void> RouteLoop::run(std::stop_token stop) {
  RETURN_IF_ERROR(start());
  auto next_show = Steady::now();
  while (!stop.stop_requested()) {
    const auto now = Steady::now();
    if (now >= next_commit_ && !consumer_->committing()) {
      next_commit_ = now + kCommitEvery;
      commit(kafka::CommitMode::kAsync);
    }
    if (now >= next_show) {
      show();
      next_show = now + kShowEvery;
    }
    RETURN_IF_ERROR(outbox_->poll(milliseconds(0)));
    if (may_go_on(now)) {
      log::info("sources: dead letters were dealt with; going on");
      break;
    }
    if (outbox_->full()) {
      ASSIGN_OR_RETURN(const bool polls, hold_back_.hold(*consumer_, now, assignments_));
      if (polls) RETURN_IF_ERROR(read(milliseconds(0)));
      RETURN_IF_ERROR(outbox_->poll(milliseconds(1)));
      continue;
    }
    ASSIGN_OR_RETURN(const bool resumed, hold_back_.let_go(*consumer_));
    if (std::exchange(pause_halted_, false) || resumed) {
      RETURN_IF_ERROR(consumer_->pause(halted_));
    }
    const auto idle = is_committed() ? kIdle : kCommitEvery;
    RETURN_IF_ERROR(read(outbox_->idle() ? idle : milliseconds(2)));
  }
  return finish();
}

Result<void> RouteLoop::read(milliseconds timeout) {
  auto polled = consumer_->poll(timeout, kRecordsMax);
  if (!polled) {
    const auto& error = polled.error();
    if (error.code == ErrorCode::kNotFound) health_.not_ready("kafka sources", error.message);
    if (error.retryable() || error.code == ErrorCode::kNotFound) return {};
    return std::unexpected(error);
  }
  Assigned* assigned = nullptr;
  Owner owner;
  Batch batch;
  int64_t oldest_ms = 0;  // of the batch
  const auto close = [&] {
    if (assigned == nullptr) return;
    assigned->batches.push_back(batch);
    assigned->lag.took(batch.next, oldest_ms);
    // Its pieces may be none: then only its place in the queue counts.
    acknowledge({owner.assignment, 0});
    assigned = nullptr;
  };
  for (const auto& event : *polled) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message == nullptr) {
      const auto& end = std::get<kafka::PartitionEnd>(event);
      close();
      if (Assigned* ended = find(end.topic, end.partition)) reached(*ended, end.offset);
      continue;
    }
    // No batch begins with it: that would be done at once, and what was left out before committed.
    if (halted(message->topic)) continue;
    if (assigned == nullptr || assigned->partition.partition != message->partition ||
        assigned->partition.topic != message->topic) {
      close();
      assigned = find(message->topic, message->partition);
      if (assigned == nullptr) continue;
      owner = {assigned->assignment, ++batches_};
      batch = {.number = owner.batch, .next = message->offset};
      oldest_ms = message->timestamp_ms;
    }
    if (route(*message, owner, batch)) batch.next = Offset(message->offset.get() + 1);
  }
  close();
  return {};
}

// Behind the last record there may be the end of a transaction, or what compaction has emptied:
// that is done, too, when all before it is.
void RouteLoop::reached(Assigned& assigned, Offset end) {
  if (halted(assigned.partition.topic)) return;
  assigned.lag.at_end();
  assigned.batches.push_back({.number = ++batches_, .next = end});
  acknowledge({assigned.assignment, 0});
}

RouteLoop::Assigned* RouteLoop::find(std::string_view topic, Partition partition) {
  const auto found = std::ranges::find_if(assigned_, [&](const auto& entry) {
    return entry.second.partition.partition == partition && entry.second.partition.topic == topic;
  });
  return found == assigned_.end() ? nullptr : &found->second;
}

bool RouteLoop::halted(std::string_view topic) const {
  return std::ranges::any_of(routes_.find(topic)->second, &Route::halted);
}

bool RouteLoop::route(const kafka::Message& message, Owner owner, Batch& batch) {
  const auto found = routes_.find(message.topic);
  CHECK(found != routes_.end());
  for (auto& route : found->second) {
    route.rows.add();
    route.bytes.add(static_cast<double>(message.value.value_or("").size()));
    auto row =
        route.decoder.decode(message.key, message.value, message.offset, message.timestamp_ms);
    if (!row) {
      if (!refuse(route, message, row.error(), owner, batch)) return false;
      continue;
    }
    if (!*row) continue;
    Message out{.kind = MessageKind::kRow,
                .binding = route.binding,
                .key = (*row)->key,
                .position = (*row)->position,
                .changed_at_us = (*row)->changed_at_us};
    if ((*row)->row) out.row = *(*row)->row;
    const auto encoded = encode(out);
    const kafka::Header meta{kMetaHeader, encoded.meta};
    ++batch.pieces;
    outbox_->send(settings_.document_log,
                  partition_of(route.binding, out.key, settings_.partitions), encoded.key,
                  encoded.value, std::span(&meta, encoded.value ? 0 : 1), owner);
  }
  return true;
}

bool RouteLoop::refuse(Route& route, const kafka::Message& message, const Error& error, Owner owner,
                       Batch& batch) {
  const std::string place = fmt::format("topic {} partition {} offset {}", message.topic,
                                        message.partition.get(), message.offset.get());
  if (route.errors.policy == model::ErrorPolicy::kHalt) {
    halt(route, message.topic, fmt::format("halted at {}: {}", place, error.message));
    return false;
  }
  std::vector<std::string> numbers;
  const dead_letters::Letter letter{.stage = dead_letters::kDecode,
                                    .binding = route.name,
                                    .topic = message.topic,
                                    .partition = message.partition,
                                    .offset = message.offset,
                                    .log = settings_.document_log,
                                    .reason = error.message,
                                    .key = message.key,
                                    .value = message.value};
  if (open_letters_->knows(letter)) {
    log::info("binding {}: {}: has its dead letter already", route.name, place);
    return true;
  }
  log::warning("binding {}: {}: dead letter: {}", route.name, place, error.message);
  ++batch.pieces;
  outbox_->send(settings_.dead_letter_topic, kafka::kPartitionByKey, message.key, message.value,
                headers_of(letter, numbers), owner);
  metrics_.dead_letters(route.name).add();
  if (at_limit(route.errors, ++route.dead_letters)) {
    halt(route, message.topic,
         fmt::format("halted after {} dead letters, the last {}: {}", route.dead_letters, place,
                     error.message));
  }
  return true;
}

// Other bindings of the topic stop with it: to go on, they would have to commit past its records.
void RouteLoop::halt(Route& route, std::string_view topic, const std::string& why) {
  log::error("binding {}: {}", route.name, why);
  route.halted = true;
  metrics_.halted(route.name).set(1);
  health_.not_ready(
      "binding " + route.name,
      why + (route.errors.policy == model::ErrorPolicy::kHalt
                 ? ". Mend the binding: with another key, format or relation it "
                   "begins again; or let it go on with errors.policy: DeadLetter"
                 : ". Replay or drop them with `searchsync dlq`, or mend the binding: "
                   "with another key, format or relation it begins again"));
  for (const auto& [assignment, assigned] : assigned_) {
    if (assigned.partition.topic == topic) halted_.push_back(assigned.partition);
  }
  (void)consumer_->pause(halted_);
}

std::vector<kafka::StartOffset> RouteLoop::on_assigned(
    std::span<const kafka::TopicPartition> partitions) {
  for (const auto& partition : partitions) {
    ++assignments_;
    assigned_[assignments_] = {.assignment = assignments_, .partition = partition};
    log::debug("source {}: assigned", kafka::to_string(partition));
    if (!halted(partition.topic)) continue;
    halted_.push_back(partition);
    pause_halted_ = true;
  }
  log::info("sources: {} partitions assigned, {} in all", partitions.size(), assigned_.size());
  // Who had them before may have died with dead letters written and nothing committed.
  if (const auto seen = open_letters_->look(kLookMax); !seen)
    log::warning("topic {}: {}", settings_.dead_letter_topic, seen.error().message);
  return std::vector<kafka::StartOffset>(partitions.size(), kafka::StartOffset::committed());
}

void RouteLoop::on_revoked(std::span<const kafka::TopicPartition> partitions) {
  commit(kafka::CommitMode::kSync);
  on_lost(partitions);
}

void RouteLoop::on_lost(std::span<const kafka::TopicPartition> partitions) {
  for (const auto& partition : partitions) {
    std::erase_if(assigned_,
                  [&](const auto& entry) { return entry.second.partition == partition; });
    std::erase(halted_, partition);
    metrics_.no_lag("route", partition.topic, partition.partition.get());
  }
  log::info("sources: {} partitions given up, {} left", partitions.size(), assigned_.size());
}

void RouteLoop::on_records_lost(const kafka::TopicPartition& partition, const Error& error) {
  health_.not_ready("source " + kafka::to_string(partition), error.message);
  on_lost(std::span(&partition, 1));
}

void RouteLoop::acknowledge(const Owner& owner) {
  const auto found = assigned_.find(owner.assignment);
  if (found == assigned_.end()) return;
  auto& [assignment, partition, batches, committable, committed, lag] = found->second;
  const auto batch = std::ranges::lower_bound(batches, owner.batch, {}, &Batch::number);
  if (batch != batches.end() && batch->number == owner.batch) {
    CHECK(batch->pieces > 0);
    --batch->pieces;
  }
  while (!batches.empty() && batches.front().pieces == 0) {
    committable = batches.front().next;
    batches.pop_front();
  }
}

bool RouteLoop::is_committed() const {
  return std::ranges::all_of(assigned_, [](const auto& entry) {
    return entry.second.committable <= entry.second.committed;
  });
}

void RouteLoop::commit(kafka::CommitMode mode) {
  std::vector<kafka::TopicOffset> offsets;
  for (auto& [assignment, assigned] : assigned_) {
    if (assigned.committable <= assigned.committed) continue;
    assigned.committed = assigned.committable;
    offsets.push_back(
        {assigned.partition.topic, assigned.partition.partition, assigned.committable});
  }
  if (offsets.empty()) return;
  if (auto done = consumer_->commit(offsets, mode); !done) on_commit_failed(done.error());
}

// As long as the partitions are ours all is committed again: there may be no further record to do
// it.
void RouteLoop::on_commit_failed(const Error& error) {
  const auto level = error.code == ErrorCode::kFenced ? log::Level::kDebug : log::Level::kWarning;
  log::write(level, "sources: commit failed: {}", fmt::make_format_args(error.message));
  for (auto& [assignment, assigned] : assigned_) assigned.committed = Offset(0);
  next_commit_ = Steady::now() + kCommitAgain;
}

void RouteLoop::show() {
  for (auto& [assignment, assigned] : assigned_) {
    const auto lag = assigned.lag.seconds(assigned.committable, milliseconds_now());
    const auto& [topic, partition] = assigned.partition;
    if (lag) metrics_.lag("route", topic, partition.get()).set(*lag);
  }
  if (const auto trouble = consumer_->connection_error()) {
    health_.not_ready("kafka sources", trouble->message);
  } else {
    health_.ready("kafka sources");
  }
}

Result<void> RouteLoop::finish() {
  const auto deadline = Steady::now() + kFinish;
  while (!outbox_->idle() && Steady::now() < deadline)
    RETURN_IF_ERROR(outbox_->poll(milliseconds(10)));
  consumer_->close();
  return {};
}

}  // namespace searchsync::worker
