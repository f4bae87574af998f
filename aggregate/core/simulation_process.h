#pragma once

// A process that aggregates, for the simulation: it does what aggregate/run does, a step at a time,
// so that anything may happen in between.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "aggregate/core/simulation_broker.h"
#include "aggregate/core/table_partition.h"

namespace searchsync::aggregate::simulation {

class Process {
 public:
  Process(const Definition& definition, Broker& broker, std::mt19937_64& random)
      : definition_(definition), broker_(broker), random_(random) {}

  // The group gives it a partition, as this assignment.
  void assign(size_t partition, uint64_t assignment);
  // It learns that it has lost one.
  void lose(size_t partition);
  bool has(size_t partition) const { return parts_.contains(partition); }
  // The assignment that it believes in; 0: none.
  uint64_t assignment(size_t partition) const;

  void tick(uint64_t step, int64_t now_ms);
  // It does nothing before that step.
  void sleep_until(uint64_t step) { awake_at_ = step; }
  // Loses its memory, and what was not on disk; sometimes the disk.
  void crash();
  bool in_transaction() const { return transaction_.has_value(); }

  // Whether it has committed all events of what it has.
  bool done() const;

 private:
  struct Disk {
    worker::MemoryStore store;
    std::vector<worker::MemoryStore::Map> saved;  // what a crash may leave: any of these
  };
  enum class Phase { kWaits, kRestores, kReads };
  struct Part {
    uint64_t assignment = 0;
    Phase phase = Phase::kWaits;
    std::unique_ptr<TablePartition> core;
    size_t table_at = 0;
    size_t events_at = 0;
  };
  struct Written {
    size_t partition = 0;
    Broker::TableEntry entry;
  };
  // What is sent, a piece at a time.
  struct Sending {
    Broker::Transaction id = 0;
    std::vector<Written> rows;
    std::vector<Broker::Letter> letters;
    std::map<size_t, Offset> next;
    std::map<size_t, Offset> table_ends;
    size_t sent = 0;
    bool offsets_sent = false;
  };

  size_t below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  void save(size_t partition);
  void step_part(size_t partition, Part& part, int64_t now_ms);
  void start(size_t partition, Part& part);
  void restore(size_t partition, Part& part);
  void read(size_t partition, Part& part, int64_t now_ms);
  void begin(uint64_t step, int64_t now_ms);
  void send();
  void finish(bool committed);
  // As after a crash, but with the disk as it is.
  void reset();

  const Definition& definition_;
  Broker& broker_;
  std::mt19937_64& random_;
  Shared shared_;
  std::map<size_t, Disk> disks_;
  std::map<size_t, Part> parts_;
  uint64_t awake_at_ = 0;
  std::map<size_t, uint64_t> assigned_;  // it will hear of that after its transaction
  std::optional<Sending> transaction_;
  Broker::Transaction last_ = 0;  // of its transactional id: the next one begins when it is over
};

}  // namespace searchsync::aggregate::simulation
