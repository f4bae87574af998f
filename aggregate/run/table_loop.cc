#include "aggregate/run/table_loop.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/log.h"

namespace searchsync::aggregate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kEventsMax = 5'000;  // of one poll
constexpr milliseconds kShowEvery{1'000};
constexpr milliseconds kIdle{100};
constexpr milliseconds kCountMax{20'000};
constexpr milliseconds kLookEvery{5'000};
constexpr milliseconds kLookMax{2'000};
constexpr milliseconds kTransactionTimeout{30'000};
constexpr milliseconds kKafkaTimeout{15'000};

double seconds_behind(int64_t timestamp_ms) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return std::max(0.0, now.count() - static_cast<double>(timestamp_ms) / 1e3);
}

}  // namespace

int64_t TableLoop::now_ms() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

TableLoop::TableLoop(Settings settings, const Definition& definition, StateStore& states,
                     TableMetrics& metrics, http::Health& health)
    : settings_(std::move(settings)),
      definition_(definition),
      states_(states),
      metrics_(metrics),
      health_(health) {
  shared_.memory.bytes_max = settings_.memory_bytes;
}

Result<void> TableLoop::start() {
  auto config = settings_.kafka;
  config.client_id = settings_.group;
  ASSIGN_OR_RETURN(admin_, kafka::Admin::create(config, {.timeout = kKafkaTimeout}));
  RETURN_IF_ERROR(check_topics());
  RETURN_IF_ERROR(count_dead_letters(config));
  ASSIGN_OR_RETURN(
      producer_,
      kafka::Producer::create(config,
                              {.linger = milliseconds(5),
                               .delivery_timeout = kTransactionTimeout,
                               .transactional_id = settings_.transactional_id,
                               .transaction_timeout = kTransactionTimeout},
                              [this](const kafka::Delivery& delivery) { on_delivery(delivery); }));
  RETURN_IF_ERROR(producer_->initialize_transactions(2 * kTransactionTimeout));
  ASSIGN_OR_RETURN(reader_, kafka::Consumer::reader(config, {}));
  // A gap in the events would be a wrong count.
  ASSIGN_OR_RETURN(consumer_, kafka::Consumer::join(config, settings_.group,
                                                    {.session_timeout = settings_.session_timeout,
                                                     .no_offset = kafka::Consumer::NoOffset::kFail,
                                                     .queue_bytes_max = size_t{32} << 20},
                                                    *this));
  return consumer_->subscribe({settings_.events});
}

// A group's row is in the partition of its events.
Result<void> TableLoop::check_topics() {
  ASSIGN_OR_RETURN(const auto events, admin_->partition_count(settings_.events));
  ASSIGN_OR_RETURN(const auto table, admin_->partition_count(settings_.table));
  for (const auto& [topic, partitions] :
       {std::pair(settings_.events, events), std::pair(settings_.table, table)}) {
    if (!partitions) return fail(ErrorCode::kNotFound, fmt::format("there is no topic {}", topic));
  }
  partitions_ = *table;
  if (events == table) return {};
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("topic {} has {} partitions now, and its table was made for {}: events of "
                  "one group are in two partitions. Write the events into a new topic",
                  settings_.events, *events, *table));
}

// A limit that a restart forgets would be none.
Result<void> TableLoop::count_dead_letters(const kafka::ClientConfig& config) {
  open_letters_ = std::make_unique<worker::OpenLetters>(config, settings_.dead_letter_topic,
                                                        dead_letters::kAggregate, settings_.table);
  ASSIGN_OR_RETURN(const bool all, open_letters_->look(kCountMax));
  if (!all) log::warning("topic {} is long: not all counted", settings_.dead_letter_topic);
  shared_.refused = open_letters_->count(settings_.binding);
  return {};
}

// Whether somebody has dealt with so many dead letters that what has halted may go on.
bool TableLoop::may_go_on() {
  if (!halted_ || settings_.errors.policy != model::ErrorPolicy::kDeadLetter) return false;
  const auto now = Clock::now();
  if (now < next_look_) return false;
  next_look_ = now + kLookEvery;
  if (!open_letters_->look(kLookMax).value_or(false)) return false;
  return open_letters_->count(settings_.binding) < shared_.refused &&
         open_letters_->count(settings_.binding) < settings_.errors.max_dead_letters;
}

Result<void> TableLoop::run(std::stop_token stop) {
  const std::string name = "binding " + settings_.binding;
  if (auto started = start(); !started) {
    health_.not_ready(name, started.error().message);
    return started;
  }
  health_.ready(name);
  metrics_.halted.set(0);
  while (!stop.stop_requested() && !may_go_on()) RETURN_IF_ERROR(step());
  return finish();
}

Result<void> TableLoop::step() {
  RETURN_IF_ERROR(take_up());
  RETURN_IF_ERROR(restore());
  RETURN_IF_ERROR(write(Write::kDue));
  if (Clock::now() >= next_show_) show();
  RETURN_IF_ERROR(read(until_due()));
  if (failure_) return std::unexpected(*failure_);
  return {};
}

milliseconds TableLoop::until_due() const {
  milliseconds wait = kIdle;
  for (const auto& [partition, assigned] : assigned_) {
    if (assigned.phase == Phase::kRestores) return milliseconds(0);
    if (assigned.phase != Phase::kReads) continue;
    if (const auto due = assigned.core->due_ms()) {
      const int64_t now = now_ms();
      wait = std::min(wait, milliseconds(*due <= now ? 0 : *due - now));
    }
  }
  return wait;
}

TableLoop::Assigned* TableLoop::find(Partition partition) {
  const auto found = assigned_.find(partition);
  return found == assigned_.end() ? nullptr : &found->second;
}

kafka::TopicPartition TableLoop::events_of(const Assigned& assigned) const {
  return {settings_.events, assigned.partition};
}

kafka::TopicPartition TableLoop::table_of(const Assigned& assigned) const {
  return {settings_.table, assigned.partition};
}

std::vector<TableLoop::Assigned*> TableLoop::in_phase(Phase phase) {
  std::vector<Assigned*> found;
  for (auto& [partition, assigned] : assigned_) {
    if (assigned.phase == phase) found.push_back(&assigned);
  }
  return found;
}

// Applies what has arrived, a run of one partition's events at a time.
Result<void> TableLoop::read(milliseconds timeout) {
  auto polled = consumer_->poll(timeout, kEventsMax);
  if (!polled) {
    const auto& error = polled.error();
    if (error.code == ErrorCode::kNotFound) {
      health_.not_ready("binding " + settings_.binding,
                        error.message +
                            " Events that were not counted are gone: raise "
                            "spec.aggregate.revision to count what is there");
      return std::unexpected(error);
    }
    if (error.retryable()) return {};
    return std::unexpected(error);
  }
  ++polls_;
  std::vector<EventRecord> events;
  Partition partition{-1};
  const auto apply_run = [&]() -> Result<void> {
    RETURN_IF_ERROR(apply(partition, events));
    events.clear();
    return {};
  };
  for (const auto& event : *polled) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message == nullptr) {
      const auto& end = std::get<kafka::PartitionEnd>(event);
      RETURN_IF_ERROR(apply_run());
      Assigned* assigned = find(end.partition);
      if (assigned == nullptr || assigned->phase != Phase::kReads || assigned->core->halted() ||
          assigned->rewound_in == polls_) {
        continue;
      }
      assigned->core->reached(end.offset, now_ms());
      show_lag(*assigned, 0);
      continue;
    }
    if (message->partition != partition) {
      RETURN_IF_ERROR(apply_run());
      partition = message->partition;
    }
    events.push_back({message->offset, message->key, message->value, message->timestamp_ms});
  }
  return apply_run();
}

Result<void> TableLoop::apply(Partition partition, std::span<const EventRecord> events) {
  Assigned* const assigned = find(partition);
  if (events.empty() || assigned == nullptr || assigned->phase != Phase::kReads) return {};
  TablePartition& core = *assigned->core;
  if (core.halted() || assigned->rewound_in == polls_) return {};
  if (const auto since = core.rewind_to(events.front().timestamp_ms)) {
    ASSIGN_OR_RETURN(const auto from,
                     consumer_->offset_at(events_of(*assigned), *since, kKafkaTimeout));
    core.rewound(from.value_or(core.position()));
    assigned->rewound_in = polls_;
    log::info("events {} partition {}: read again from {}, for their ids", settings_.events,
              partition.get(), core.position().get());
    return consumer_->seek({settings_.events, partition, core.position()}, kKafkaTimeout);
  }
  core.apply(events, now_ms());
  metrics_.events.add(static_cast<double>(core.events() - assigned->events));
  metrics_.duplicates.add(static_cast<double>(core.duplicates() - assigned->duplicates));
  assigned->events = core.events();
  assigned->duplicates = core.duplicates();
  show_lag(*assigned, seconds_behind(events.back().timestamp_ms));
  return core.halted() ? halt(*assigned) : Result<void>{};
}

Result<void> TableLoop::halt(Assigned& assigned) {
  const auto& why = assigned.core->halted()->message;
  log::error("binding {}: {}", settings_.binding, why);
  halted_ = true;
  metrics_.halted.set(1);
  health_.not_ready(
      "binding " + settings_.binding,
      why + (settings_.errors.policy == model::ErrorPolicy::kHalt
                 ? ". Let it go on with errors.policy: DeadLetter, or count anew with "
                   "another spec.aggregate.revision"
                 : ". Drop what is dealt with by `searchsync dlq`, or mend the "
                   "binding"));
  const auto place = events_of(assigned);
  return consumer_->pause(std::span(&place, 1));
}

void TableLoop::show_lag(Assigned& assigned, double behind) {
  if (!assigned.lag) assigned.lag = metrics_.lag(settings_.events, assigned.partition.get());
  assigned.lag->set(behind);
}

void TableLoop::show() {
  next_show_ = Clock::now() + kShowEvery;
  size_t waiting = 0, ids = 0, restoring = 0;
  for (const auto& [partition, assigned] : assigned_) {
    if (assigned.phase != Phase::kReads) ++restoring;
    if (assigned.core == nullptr) continue;
    waiting += assigned.core->waiting();
    ids += assigned.core->ids();
  }
  metrics_.partitions.set(static_cast<double>(assigned_.size()));
  metrics_.restoring.set(static_cast<double>(restoring));
  metrics_.groups_waiting.set(static_cast<double>(waiting));
  metrics_.ids.set(static_cast<double>(ids));
  metrics_.memory_bytes.set(static_cast<double>(shared_.memory.bytes));
  metrics_.state_bytes.set(static_cast<double>(states_.bytes()));
  const std::string table = "table " + settings_.table;
  if (const auto trouble = consumer_->connection_error()) {
    health_.not_ready(table, trouble->message);
  } else if (restoring > 0) {
    health_.not_ready(table, fmt::format("the rows of {} of {} partitions are being read",
                                         restoring, assigned_.size()));
  } else {
    health_.ready(table);
  }
}

Result<void> TableLoop::finish() {
  if (auto written = write(Write::kAll); !written) {
    log::warning("table {}: {}", settings_.table, written.error().message);
  }
  consumer_->close();
  return states_.flush();
}

}  // namespace searchsync::aggregate
