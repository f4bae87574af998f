#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "capture/core/engine.h"
#include "capture/run/capture_metrics.h"
#include "capture/run/chunk_reader.h"
#include "capture/run/side_database.h"
#include "capture/run/topic_outlet.h"
#include "lib/base/error.h"
#include "lib/http/health.h"
#include "lib/positions/position.h"
#include "lib/postgres/replication.h"

namespace searchsync::capture {

// The thread that owns the engine: waits for the stream, for chunks and for Kafka, and confirms.
class StreamLoop {
 public:
  struct Options {
    std::string slot;
    std::string state_key;
    positions::LogIdentity log;
    double retained_wal_warning_bytes = 0;
    std::chrono::milliseconds status_interval{1000};
    std::chrono::milliseconds idle_save_interval{10'000};
    size_t transactions_max = 100'000;  // not done: past it nothing more is read
  };
  // Everything must outlive this. `saved` is the state that is in the topic now.
  StreamLoop(Options options, Engine& engine, postgres::ReplicationStream& stream,
             SideDatabase& side, ChunkReader& chunks, TopicOutlet& outlet, const Wakeup& wakeup,
             CaptureMetrics& metrics, http::Health& health, CaptureState saved);

  // Until something fails, or `stop`: then flushes and confirms what was received.
  Result<void> run(const std::stop_token& stop);

  // What has to go on while the engine waits for something: the stream's status, so that the server
  // does not take us for dead. May be called inside of run() only, by the seams.
  Result<void> while_waiting();
  void acknowledged(uint64_t token);

 private:
  using Clock = std::chrono::steady_clock;

  Result<bool> receive();
  Result<void> take_chunks();
  Result<void> housekeep();
  Result<void> save_if_changed(Clock::time_point now);
  Result<void> publish_position();
  Result<void> send_status();
  Result<void> inspect_slot();
  Result<void> finish();
  void wait();
  void report_stopped();

  const Options options_;
  Engine& engine_;
  postgres::ReplicationStream& stream_;
  SideDatabase& side_;
  ChunkReader& chunks_;
  TopicOutlet& outlet_;
  const Wakeup& wakeup_;
  CaptureMetrics& metrics_;
  http::Health& health_;

  const std::stop_token* stop_ = nullptr;
  postgres::Lsn received_;
  CaptureState saved_;                  // in the topic for sure
  std::optional<CaptureState> saving_;  // on its way
  bool reply_ = false;                  // the server asked for a status
  bool retained_warned_ = false;
  Clock::time_point status_due_{};
  Clock::time_point slot_due_{};
  Clock::time_point idle_save_due_{};
  positions::CapturePosition position_;  // published last
  Clock::time_point position_due_{};     // not before
  struct Committed {
    uint64_t transaction;
    int64_t time_us;
  };
  std::deque<Committed> unproduced_;  // transactions of which nothing was acknowledged yet
  size_t stopped_reported_ = 0;
};

}  // namespace searchsync::capture
