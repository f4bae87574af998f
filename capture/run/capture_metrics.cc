#include "capture/run/capture_metrics.h"

#include <algorithm>

namespace searchsync::capture {
namespace {

constexpr const char* kRows = "searchsync_capture_rows_total";
constexpr const char* kRowsHelp =
    "Changes written to the table's topic (c, u, d, r of a snapshot), tables emptied (t), and "
    "updates left out because the row was gone when its large values were asked for (vanished).";

}  // namespace

CaptureMetrics::CaptureMetrics(metrics::Registry& registry)
    : commit_to_produced(registry.histogram(
          "searchsync_capture_commit_to_produced_seconds",
          "From a transaction's commit in PostgreSQL until Kafka acknowledged its first record.",
          metrics::latency_buckets_seconds())),
      lag_bytes(registry.gauge("searchsync_capture_lag_bytes",
                               "Log that PostgreSQL wrote and that is not confirmed as captured.")),
      retained_wal_bytes(registry.gauge("searchsync_capture_retained_wal_bytes",
                                        "Log that the slot keeps PostgreSQL from removing.")),
      in_flight_records(registry.gauge("searchsync_capture_in_flight_records",
                                       "Records that Kafka has not acknowledged yet.")),
      snapshot_tables_running(registry.gauge("searchsync_capture_snapshot_tables_running",
                                             "Tables whose snapshot is not complete.")),
      sessions(registry.counter("searchsync_capture_sessions_total",
                                "Times that the stream was started.")),
      registry_(registry),
      bytes_(registry.counter("searchsync_capture_bytes_total",
                              "Bytes of keys and values written to topics.")),
      snapshot_rows_(registry.counter("searchsync_capture_snapshot_rows_total",
                                      "Rows written by snapshots.")) {}

void CaptureMetrics::update(const Engine& engine, uint64_t bytes_sent) {
  bytes_.add(static_cast<double>(bytes_sent - bytes_seen_));
  bytes_seen_ = bytes_sent;
  double running = 0;
  for (size_t i = 0; i < engine.tables(); ++i) {
    const CapturedTable& captured = engine.table(i);
    if (captured.state.phase == SnapshotPhase::kRunning) ++running;
    const std::string name = captured.schema + "." + captured.name;
    auto known = std::ranges::find(tables_, name, &std::pair<std::string, Table>::first);
    if (known == tables_.end()) {
      const auto counter = [&](const char* op) {
        return registry_.counter(kRows, kRowsHelp, {{"table", name}, {"op", op}});
      };
      tables_.emplace_back(
          name,
          Table{.ops = {counter("c"), counter("u"), counter("d"), counter("r"), counter("t"),
                        counter("vanished")},
                .complete = registry_.gauge(
                    "searchsync_capture_snapshot_complete",
                    "1 if all rows of the table's snapshot are in its topic.", {{"table", name}})});
      known = tables_.end() - 1;
    }
    Table& table = known->second;
    const auto done = engine.state().tables.find(name);  // of what is acknowledged
    const bool complete =
        done != engine.state().tables.end() && done->second.phase == SnapshotPhase::kDone;
    table.complete.set(complete ? 1 : 0);
    const TableCounters& now = engine.counters(i);
    snapshot_rows_.add(static_cast<double>(now.read - table.seen[3]));
    const std::array<uint64_t, kOps> counts = {now.created, now.updated,   now.deleted,
                                               now.read,    now.truncated, now.vanished};
    for (size_t op = 0; op < kOps; ++op) {
      table.ops[op].add(static_cast<double>(counts[op] - table.seen[op]));
    }
    table.seen = counts;
  }
  snapshot_tables_running.set(running);
}

void CaptureMetrics::session_ended() {
  bytes_seen_ = 0;
  for (auto& [name, table] : tables_) table.seen = {};
}

}  // namespace searchsync::capture
