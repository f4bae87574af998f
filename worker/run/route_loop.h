#pragma once

// Reads the sources and appends their rows to the document log: the loop of one thread, for all
// partitions of the sources' topics that the group has given to this worker. A source's position is
// committed when the rows up to it are acknowledged in the log, or in the dead-letter topic.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/http/health.h"
#include "lib/kafka/consumer.h"
#include "lib/model/pipeline.h"
#include "lib/model/resources.h"
#include "worker/core/decode.h"
#include "worker/run/hold_back.h"
#include "worker/run/lag.h"
#include "worker/run/open_letters.h"
#include "worker/run/outbox.h"
#include "worker/run/worker_metrics.h"

namespace searchsync::worker {

class RouteLoop : private kafka::GroupListener {
 public:
  struct Settings {
    std::string document_log;
    std::string group;
    std::string dead_letter_topic;
    int32_t partitions = 1;  // of the document log
    std::chrono::milliseconds session_timeout{45'000};
    kafka::ClientConfig kafka;
  };

  // `bindings` are those of `pipeline`, in any order. All references outlive the loop.
  RouteLoop(Settings settings, const model::Pipeline& pipeline,
            std::span<const model::SourceBinding> bindings, WorkerMetrics& metrics,
            http::Health& health);

  // Until asked to stop, or a binding that halted may go on, which takes a new loop: then waits for
  // what is under way, commits and leaves the group. Errors: Kafka failed in a way that only a new
  // loop can mend; nothing is lost by starting one.
  Result<void> run(std::stop_token stop);

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Route {
    BindingId binding = 0;
    std::string name;
    Decoder decoder;
    model::ErrorsSpec errors;
    int64_t dead_letters = 0;  // those that were open at the start, and its own since
    bool halted = false;
    metrics::Counter rows;
    metrics::Counter bytes;
  };
  // Records of one poll, not all acknowledged yet.
  struct Batch {
    uint64_t number = 0;
    Offset next;  // to be committed when it and all before it are done
    size_t pieces = 0;
  };
  // A source's partition, from its assignment to its loss.
  struct Assigned {
    uint64_t assignment = 0;
    kafka::TopicPartition partition;
    std::deque<Batch> batches;  // oldest first
    Offset committable;
    Offset committed;
    Lag lag;
  };

  std::vector<kafka::StartOffset> on_assigned(
      std::span<const kafka::TopicPartition> partitions) override;
  void on_revoked(std::span<const kafka::TopicPartition> partitions) override;
  void on_lost(std::span<const kafka::TopicPartition> partitions) override;
  void on_records_lost(const kafka::TopicPartition& partition, const Error& error) override;
  void on_commit_failed(const Error& error) override;

  Result<void> start();
  Result<void> read(std::chrono::milliseconds timeout);
  // False if the record, and all behind it, must wait: its binding halted.
  bool route(const kafka::Message& message, Owner owner, Batch& batch);
  bool refuse(Route& route, const kafka::Message& message, const Error& error, Owner owner,
              Batch& batch);
  void halt(Route& route, std::string_view topic, const std::string& why);
  bool halted(std::string_view topic) const;
  Result<void> count_dead_letters();
  bool may_go_on(Time now);
  Assigned* find(std::string_view topic, Partition partition);
  void reached(Assigned& assigned, Offset end);
  void acknowledge(const Owner& owner);
  bool is_committed() const;  // all that is done
  void commit(kafka::CommitMode mode);
  void show();
  Result<void> finish();

  const Settings settings_;
  WorkerMetrics& metrics_;
  http::Health& health_;
  std::map<std::string, std::vector<Route>, std::less<>> routes_;  // by topic

  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<OpenLetters> open_letters_;
  std::map<uint64_t, Assigned> assigned_;  // by assignment
  uint64_t assignments_ = 0;
  uint64_t batches_ = 0;
  std::vector<kafka::TopicPartition> halted_;
  Time next_commit_;
  Time next_look_;  // at the open letters, while a binding is halted
  HoldBack hold_back_;
  bool pause_halted_ = false;                  // some of it is to be
  std::unique_ptr<kafka::Consumer> consumer_;  // last: its destructor calls the listener
};

}  // namespace searchsync::worker
