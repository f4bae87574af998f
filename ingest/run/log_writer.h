#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ingest/core/answer.h"
#include "ingest/core/batch.h"
#include "lib/base/bounded_queue.h"
#include "lib/base/error.h"
#include "lib/http/health.h"
#include "lib/kafka/producer.h"
#include "lib/metrics/registry.h"

namespace searchsync::ingest {

// Appends batches to topics and waits until all in-sync replicas have them.
//
// Any number of threads write; one thread of its own has the producer, so that what comes from many
// at about the same time goes to Kafka together. What is not acknowledged yet is bounded: at the
// bound, and while Kafka has been silent for too long, batches are refused before anything of them
// is sent.
class LogWriter {
 public:
  struct Options {
    std::chrono::milliseconds deadline{10'000};  // for Kafka to acknowledge
    std::chrono::milliseconds silence_max{2'000};
    size_t bytes_max = 2 * kBatchBytesMax;  // not acknowledged, of all batches
    size_t events_max = 200'000;
  };

  enum class Outcome {
    kAcknowledged,  // all of it
    kFull,          // nothing was sent: too much waits
    kBehind,        // nothing was sent: Kafka has acknowledged nothing for too long
    kFailed,        // some of it was not acknowledged, and may be in the log all the same
  };

  struct Written {
    Outcome outcome = Outcome::kAcknowledged;
    std::vector<Receipt> receipts;  // kAcknowledged, kFailed: of each record
    std::optional<Error> error;     // kFailed: of the first that is not acknowledged
  };

  // Says of "kafka" whether it is ready once it has been silent. Both references must outlive this.
  // Errors: kInvalidArgument.
  static Result<std::unique_ptr<LogWriter>> create(const kafka::ClientConfig& config,
                                                   const Options& options,
                                                   metrics::Registry& registry,
                                                   http::Health& health);
  // No write() may be under way.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Returns within the deadline and a moment. Thread-safe.
  Written write(const std::string& topic, const Batch& batch);

 private:
  struct Ticket;
  class Sender;

  LogWriter(const Options& options, metrics::Registry& registry);
  bool reserve(const Batch& batch);
  void give_back(const Batch& batch);

  const Options options_;
  const metrics::Gauge in_flight_bytes_;
  const metrics::Gauge in_flight_events_;

  std::atomic<size_t> bytes_ = 0;
  std::atomic<size_t> events_ = 0;
  std::atomic<bool> behind_ = false;
  BoundedQueue<Ticket*> arrived_;  // each lives until it is done: its writer waits
  std::unique_ptr<Sender> sender_;
  std::jthread thread_;
};

}  // namespace searchsync::ingest
