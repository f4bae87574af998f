#pragma once

// Reads events, folds them into a table, and writes its rows and the events' offsets in one
// transaction after the other: the loop of one thread, for all partitions of the events that the
// group has given to this process.
//
// A partition that is taken up is restored first: its rows are read from the table's topic up to
// the end that it has, with what is not committed, when no transaction that commits its offset is
// under way any more. A transaction is begun and ended between two polls. So the group cannot take
// a partition away while one is open; and one that wakes up later is refused its offsets.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "aggregate/core/definition.h"
#include "aggregate/core/table_partition.h"
#include "aggregate/run/aggregate_metrics.h"
#include "aggregate/run/state_store.h"
#include "lib/base/error.h"
#include "lib/http/health.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/producer.h"
#include "lib/model/resources.h"
#include "worker/run/open_letters.h"

namespace searchsync::aggregate {

class TableLoop : private kafka::GroupListener {
 public:
  struct Settings {
    std::string binding;
    std::string events;  // a topic
    std::string table;   // a topic
    std::string group;
    std::string transactional_id;  // this process's own, the same after it was restarted
    std::string dead_letter_topic;
    model::ErrorsSpec errors;
    size_t memory_bytes = 0;  // of groups
    std::chrono::milliseconds session_timeout{45'000};
    kafka::ClientConfig kafka;
  };

  // All references outlive the loop.
  TableLoop(Settings settings, const Definition& definition, StateStore& states,
            TableMetrics& metrics, http::Health& health);

  // Until asked to stop: then writes what waits and leaves the group. Errors: a new loop has to
  // take up what is committed; nothing is lost by starting one.
  Result<void> run(std::stop_token stop);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { kWaits, kRestores, kReads };

  // A partition of the events, from its assignment to its loss.
  struct Assigned {
    Partition partition;
    Phase phase = Phase::kWaits;
    Clock::time_point try_again{};  // kWaits
    std::unique_ptr<worker::Store> store;
    std::unique_ptr<TablePartition> core;  // once it is kRestores
    uint64_t rewound_in = 0;               // the poll whose events came too early
    uint64_t events = 0, duplicates = 0;   // that are counted in the metrics
    std::optional<Offset> table_end;       // of the transaction that is being written
    std::optional<metrics::Gauge> lag;     // once it is known
  };

  std::vector<kafka::StartOffset> on_assigned(
      std::span<const kafka::TopicPartition> partitions) override;
  void on_revoked(std::span<const kafka::TopicPartition> partitions) override;
  void on_lost(std::span<const kafka::TopicPartition> partitions) override;
  void on_records_lost(const kafka::TopicPartition& partition, const Error& error) override;
  void on_commit_failed(const Error& error) override;

  Result<void> start();
  Result<void> check_topics();
  Result<void> count_dead_letters(const kafka::ClientConfig& config);
  bool may_go_on();
  Result<void> step();

  Result<void> take_up();
  Result<void> begin_restoring(std::vector<Assigned*> assigned);
  Result<void> assign_reader();
  Result<void> restore();
  Result<void> restore(Partition partition, std::span<const TableRecord> records);
  Result<void> begin_reading(Assigned& assigned);

  Result<void> read(std::chrono::milliseconds timeout);
  Result<void> apply(Partition partition, std::span<const EventRecord> events);
  Result<void> halt(Assigned& assigned);

  enum class Write { kDue, kAll };
  Result<void> write(Write which);
  bool is_due(const Assigned& assigned) const;
  Result<kafka::TopicOffset> send(Assigned& assigned, TablePartition::Which which);
  Result<void> send_dead_letter(const RefusedEvent& refused, Partition partition);
  Result<void> send(std::string_view topic, Partition partition,
                    std::optional<std::string_view> key, std::optional<std::string_view> value,
                    std::span<const kafka::Header> headers, uint64_t token);
  void on_delivery(const kafka::Delivery& delivery);
  void reset(std::span<Assigned* const> assigned, const Error& why);

  Assigned* find(Partition partition);
  kafka::TopicPartition events_of(const Assigned& assigned) const;
  kafka::TopicPartition table_of(const Assigned& assigned) const;
  std::vector<Assigned*> in_phase(Phase phase);
  std::chrono::milliseconds until_due() const;
  void show_lag(Assigned& assigned, double seconds);
  void show();
  Result<void> finish();

  static int64_t now_ms();  // of a clock that is never set back

  const Settings settings_;
  const Definition& definition_;
  StateStore& states_;
  TableMetrics& metrics_;
  http::Health& health_;

  Shared shared_;
  int32_t partitions_ = 0;  // of the events, and of the table
  std::unique_ptr<kafka::Admin> admin_;
  std::unique_ptr<kafka::Producer> producer_;
  std::unique_ptr<kafka::Consumer> reader_;  // of the table
  std::map<Partition, Assigned> assigned_;
  std::unique_ptr<worker::OpenLetters> open_letters_;
  bool halted_ = false;  // a partition has
  Clock::time_point next_look_;
  uint64_t polls_ = 0;
  std::optional<Error> failure_;  // of a callback
  Clock::time_point next_show_;
  std::unique_ptr<kafka::Consumer> consumer_;  // last: its destructor calls the listener
};

}  // namespace searchsync::aggregate
