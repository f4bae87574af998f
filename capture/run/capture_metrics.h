#pragma once

#include <array>
#include <string>
#include <vector>

#include "capture/core/engine.h"
#include "lib/metrics/registry.h"

namespace searchsync::capture {

// What Prometheus sees of a capture. Outlives sessions; each counts from zero and is added here.
class CaptureMetrics {
 public:
  explicit CaptureMetrics(metrics::Registry& registry);

  // The session's counters as they are now.
  void update(const Engine& engine, uint64_t bytes_sent);
  // The session is over.
  void session_ended();

  metrics::Histogram commit_to_produced;
  metrics::Gauge lag_bytes;
  metrics::Gauge retained_wal_bytes;
  metrics::Gauge in_flight_records;
  metrics::Gauge snapshot_tables_running;
  metrics::Counter sessions;

 private:
  static constexpr size_t kOps = 6;
  struct Table {
    std::array<metrics::Counter, kOps> ops;
    std::array<uint64_t, kOps> seen{};
    metrics::Gauge complete;  // its snapshot, acknowledged by Kafka
  };

  metrics::Registry& registry_;
  metrics::Counter bytes_;
  metrics::Counter snapshot_rows_;
  std::vector<std::pair<std::string, Table>> tables_;
  uint64_t bytes_seen_ = 0;
};

}  // namespace searchsync::capture
