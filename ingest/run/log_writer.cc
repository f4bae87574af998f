#include "ingest/run/log_writer.h"

#include <fmt/core.h>

#include <limits>
#include <semaphore>

#include "lib/base/check.h"
#include "lib/base/log.h"

namespace searchsync::ingest {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kHealthName = "kafka";
// While something is in flight, what arrives waits for at most so long; while nothing is, this is
// how soon a stop is noticed.
constexpr milliseconds kBusyPoll{1};
constexpr milliseconds kIdlePoll{100};
constexpr milliseconds kLinger{3};
constexpr std::chrono::seconds kAnotherProducerAfter{5};
// The producer's own bounds are looser than ours, which are looked at first.
constexpr size_t kSlack = 1 << 20;

}  // namespace

// A batch that is being written. Its writer owns it and waits for `done`; until then the sender
// alone touches it.
struct LogWriter::Ticket {
  const std::string& topic;
  const Batch& batch;
  std::vector<Receipt> receipts;
  std::optional<Error> error;  // the first
  size_t outstanding = 0;
  Clock::time_point since;
  std::binary_semaphore done{0};
};

// Lives on the writer's thread.
class LogWriter::Sender {
 public:
  Sender(LogWriter& writer, const kafka::ClientConfig& config, http::Health& health,
         metrics::Registry& registry)
      : writer_(writer),
        config_(config),
        health_(health),
        seconds_(registry.histogram("searchsync_ingest_kafka_duration_seconds",
                                    "Time until Kafka had acknowledged all of a request's events",
                                    metrics::latency_buckets_seconds())) {}

  Result<void> connect() {
    ASSIGN_OR_RETURN(
        producer_,
        kafka::Producer::create(config_,
                                {.linger = kLinger,
                                 .queue_bytes_max = writer_.options_.bytes_max + kSlack,
                                 .queue_messages_max = writer_.options_.events_max + kSlack,
                                 .delivery_timeout = writer_.options_.deadline},
                                [this](const kafka::Delivery& delivery) { delivered(delivery); }));
    return {};
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested() || pending_ > 0 || writer_.arrived_.size() > 0) {
      if (pending_ == 0) {
        if (const auto first = writer_.arrived_.pop(kIdlePoll)) send(**first);
      }
      for (Ticket* const ticket : writer_.arrived_.drain()) send(*ticket);
      if (producer_) producer_->poll(pending_ > 0 ? kBusyPoll : milliseconds(0));
      watch();
    }
  }

 private:
  void send(Ticket& ticket) {
    ticket.since = Clock::now();
    const auto& records = ticket.batch.records;
    ticket.outstanding = records.size();
    const uint64_t slot = take_slot(ticket);
    for (size_t i = 0; i < records.size(); ++i) {
      const auto sent =
          producer_
              ? producer_->send(ticket.topic, kafka::kPartitionByKey, ticket.batch.key(records[i]),
                                ticket.batch.value(records[i]), {}, slot << 32 | i)
              : Result<void>(fail(ErrorCode::kUnavailable, broken_));
      if (!sent && settle(ticket, slot, &sent.error())) return;
    }
  }

  void delivered(const kafka::Delivery& delivery) {
    const uint64_t slot = delivery.token >> 32;
    Ticket& ticket = *slots_[slot];
    auto& receipt = ticket.receipts[delivery.token & std::numeric_limits<uint32_t>::max()];
    if (!delivery.error) {
      receipt = {.acknowledged = true,
                 .partition = delivery.partition.get(),
                 .offset = delivery.offset.get()};
    }
    settle(ticket, slot, delivery.error ? &*delivery.error : nullptr);
  }

  // One record has come to its end. True if it was the last: then the ticket is gone.
  bool settle(Ticket& ticket, uint64_t slot, const Error* error) {
    if (error != nullptr && !ticket.error) ticket.error = *error;
    if (--ticket.outstanding > 0) return false;
    slots_[slot] = nullptr;
    free_slots_.push_back(slot);
    --pending_;
    if (!ticket.error) {
      seconds_.observe(std::chrono::duration<double>(Clock::now() - ticket.since).count());
    }
    writer_.give_back(ticket.batch);
    ticket.done.release();
    return true;
  }

  uint64_t take_slot(Ticket& ticket) {
    ++pending_;
    if (free_slots_.empty()) {
      free_slots_.push_back(slots_.size());
      slots_.push_back(nullptr);
    }
    const uint64_t slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = &ticket;
    return slot;
  }

  void watch() {
    const auto now = Clock::now();
    auto oldest = now;
    for (const Ticket* ticket : slots_) {
      if (ticket != nullptr) oldest = std::min(oldest, ticket->since);
    }
    const bool behind = now - oldest > writer_.options_.silence_max;
    if (behind != writer_.behind_.exchange(behind)) report(behind);
    if (const auto fatal = producer_ ? producer_->fatal_error() : std::nullopt) {
      start_over(*fatal);
    } else if (!producer_ && now >= again_at_) {
      again_at_ = now + kAnotherProducerAfter;
      if (const auto connected = connect(); !connected) broken_ = connected.error().message;
    }
  }

  void report(bool behind) {
    if (!behind) return health_.ready(kHealthName);
    const auto error = producer_ ? producer_->connection_error() : std::nullopt;
    health_.not_ready(kHealthName, error ? error->message
                                         : fmt::format("it has acknowledged nothing for {} ms",
                                                       writer_.options_.silence_max.count()));
  }

  // Nothing more comes of the producer that there is.
  void start_over(const Error& fatal) {
    log::error("{}", fatal.message);
    broken_ = fatal.message;
    producer_.reset();
    again_at_ = Clock::now();
    // Its own refusal would be the same again.
    if (fatal.code != ErrorCode::kFenced) again_at_ += kAnotherProducerAfter;
    const Error lost{ErrorCode::kUnavailable, broken_};
    for (uint64_t slot = 0; slot < slots_.size(); ++slot) {
      while (slots_[slot] != nullptr && !settle(*slots_[slot], slot, &lost)) {
      }
    }
  }

  LogWriter& writer_;
  const kafka::ClientConfig config_;
  http::Health& health_;
  const metrics::Histogram seconds_;

  std::unique_ptr<kafka::Producer> producer_;  // null: after a fault for good
  std::string broken_;                         // why it is null
  Clock::time_point again_at_;
  std::vector<Ticket*> slots_;  // null: free
  std::vector<uint64_t> free_slots_;
  size_t pending_ = 0;
};

LogWriter::LogWriter(const Options& options, metrics::Registry& registry)
    : options_(options),
      in_flight_bytes_(registry.gauge("searchsync_ingest_in_flight_bytes",
                                      "Of events that Kafka has not acknowledged yet")),
      in_flight_events_(registry.gauge("searchsync_ingest_in_flight_events",
                                       "Events that Kafka has not acknowledged yet")),
      arrived_(std::numeric_limits<size_t>::max()) {}

Result<std::unique_ptr<LogWriter>> LogWriter::create(const kafka::ClientConfig& config,
                                                     const Options& options,
                                                     metrics::Registry& registry,
                                                     http::Health& health) {
  std::unique_ptr<LogWriter> writer(new LogWriter(options, registry));
  writer->sender_ = std::make_unique<Sender>(*writer, config, health, registry);
  RETURN_IF_ERROR(writer->sender_->connect());
  writer->thread_ = std::jthread(
      [sender = writer->sender_.get()](const std::stop_token& stop) { sender->run(stop); });
  return writer;
}

LogWriter::~LogWriter() {
  // Joined before what it uses goes.
  thread_ = {};
}

bool LogWriter::reserve(const Batch& batch) {
  const size_t bytes = bytes_ += batch.bytes.size();
  const size_t events = events_ += batch.records.size();
  in_flight_bytes_.set(static_cast<double>(bytes));
  in_flight_events_.set(static_cast<double>(events));
  if (bytes <= options_.bytes_max && events <= options_.events_max) return true;
  give_back(batch);
  return false;
}

void LogWriter::give_back(const Batch& batch) {
  in_flight_bytes_.set(static_cast<double>(bytes_ -= batch.bytes.size()));
  in_flight_events_.set(static_cast<double>(events_ -= batch.records.size()));
}

LogWriter::Written LogWriter::write(const std::string& topic, const Batch& batch) {
  if (batch.records.empty()) return {};
  CHECK(batch.bytes.size() <= options_.bytes_max && batch.records.size() <= options_.events_max);
  if (behind_) return {.outcome = Outcome::kBehind, .receipts = {}, .error = {}};
  if (!reserve(batch)) return {.outcome = Outcome::kFull, .receipts = {}, .error = {}};
  Ticket ticket{.topic = topic,
                .batch = batch,
                .receipts = std::vector<Receipt>(batch.records.size()),
                .error = std::nullopt,
                .since = {}};
  arrived_.push_always(&ticket);
  ticket.done.acquire();
  return {.outcome = ticket.error ? Outcome::kFailed : Outcome::kAcknowledged,
          .receipts = std::move(ticket.receipts),
          .error = std::move(ticket.error)};
}

}  // namespace searchsync::ingest
