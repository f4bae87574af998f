#pragma once

// Polls the document log, folds it, sends what that causes, writes the documents, and commits what
// is done: the loop of one thread, for all partitions of the log that the group has given to this
// worker.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/dead_letters/letter.h"
#include "lib/http/health.h"
#include "lib/kafka/consumer.h"
#include "lib/model/pipeline.h"
#include "lib/model/resources.h"
#include "worker/core/worker.h"
#include "worker/run/bulk_lane.h"
#include "worker/run/hold_back.h"
#include "worker/run/lag.h"
#include "worker/run/outbox.h"
#include "worker/run/state_database.h"
#include "worker/run/worker_metrics.h"

namespace searchsync::worker {

class FoldLoop : private kafka::GroupListener {
 public:
  struct Settings {
    Generation generation;
    IndexName index;
    std::string document_log;
    std::string group;
    std::string dead_letter_topic;
    int32_t partitions = 1;
    std::chrono::milliseconds session_timeout{45'000};
    model::BulkSpec bulk;
    std::optional<PartitionMaker::Options> partitioned;  // by time
    std::optional<std::chrono::seconds> log_retention;   // see PartitionWorker::Options
    kafka::ClientConfig kafka;
  };

  // All references outlive the loop.
  FoldLoop(Settings settings, const model::Pipeline& pipeline, StateDatabase& states,
           http::AsyncClient& engine, WorkerMetrics& metrics, http::Health& health);

  // Until asked to stop: then finishes what is under way, commits and leaves the group. Errors:
  // Kafka failed in a way that only a new loop can mend; nothing is lost by starting one.
  Result<void> run(std::stop_token stop);

 private:
  // A partition, from its assignment to its loss.
  struct Assigned {
    uint64_t assignment = 0;
    Partition partition;
    std::unique_ptr<Store> store;
    std::unique_ptr<PartitionWorker> worker;
    Offset committed;
    std::optional<Clock::time_point> behind_since;  // nothing: at the end of the log
    std::optional<Clock::time_point> yields_until;  // nothing is applied until then, at most
    Lag lag;
  };

  static int64_t milliseconds_now();  // since 1970

  std::vector<kafka::StartOffset> on_assigned(
      std::span<const kafka::TopicPartition> partitions) override;
  void on_revoked(std::span<const kafka::TopicPartition> partitions) override;
  void on_lost(std::span<const kafka::TopicPartition> partitions) override;
  void on_records_lost(const kafka::TopicPartition& partition, const Error& error) override;
  void on_commit_failed(const Error& error) override;

  Result<void> start();
  Result<void> step(Clock::time_point now);
  Result<void> read(std::chrono::milliseconds timeout);
  void apply(Partition partition, std::span<const LogRecord> records);
  void show_halt(const Assigned& assigned);  // if it has
  void note_applied(Assigned& assigned, std::span<const LogRecord> records);
  void yield(Assigned& assigned, std::chrono::milliseconds time);
  bool taking_over() const;
  Result<void> pause_and_resume(Clock::time_point now);
  Result<kafka::StartOffset> assign(Partition partition);
  void forget(Partition partition);
  Assigned* find(uint64_t assignment);
  Assigned* find(Partition partition);
  void take(Assigned& assigned, Work work);
  void give_up(const dead_letters::Letter& letter, Owner owner);
  std::string binding_of(const Refused& refused) const;
  void on_result(BulkResult&& result, Clock::time_point now);
  void reject(QueuedDocument document, std::string_view lines);
  void acknowledge(const QueuedDocument& document, size_t skipped = 0);
  void build(Clock::time_point now, bool early);
  void fan_out();
  void clean_up();
  size_t batches_under_way() const;
  bool blocked() const;
  static std::optional<Offset> to_commit(const Assigned& assigned);
  bool is_committed() const;  // all that is done
  void commit(kafka::CommitMode mode);
  void show(Clock::time_point now);
  Result<void> finish();

  const Settings settings_;
  const model::Pipeline& pipeline_;
  StateDatabase& states_;
  WorkerMetrics& metrics_;
  http::Health& health_;

  BulkLane bulk_;
  std::unique_ptr<Outbox> outbox_;
  std::map<uint64_t, Assigned> assigned_;  // by assignment
  uint64_t assignments_ = 0;
  uint64_t fanned_out_ = 0;  // the assignment whose turn was last
  DocumentQueue documents_;
  std::optional<Error> failure_;  // of a callback
  HoldBack hold_back_;
  Clock::time_point next_commit_;
  Clock::time_point next_show_;
  BulkLane::Totals shown_;
  std::unique_ptr<kafka::Consumer> consumer_;  // last: its destructor calls the listener
};

}  // namespace searchsync::worker
