#pragma once

// Kafka, for the simulation: topics, transactions and a group's offsets, in memory.
//
// Fault model: a transaction ends in steps: first it is decided, then each partition that it wrote
// to, and the offsets, learn of that, in any order; meanwhile readers wait there. One that is not
// ended is aborted after a while. Offsets are taken only from the member that the group has given
// the partition to, whoever else believes to have it. The group may forget its offsets. Events that
// are older than a retention are gone. Not modelled: compaction, which only removes older rows.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aggregate/core/event.h"
#include "lib/base/named.h"

namespace searchsync::aggregate::simulation {

constexpr size_t kPartitions = 3;

struct LoggedEvent {
  std::string key;
  std::string value;
  int64_t timestamp_ms = 0;
  EventRecord record(size_t offset) const {
    return {Offset(static_cast<int64_t>(offset)), key, value, timestamp_ms};
  }
};

class Broker {
 public:
  using Transaction = uint64_t;
  enum class Outcome { kOpen, kCommitted, kAborted };

  struct TableEntry {
    std::string key;
    std::string value;
    std::string state;
    Transaction transaction = 0;
    Outcome outcome = Outcome::kOpen;  // as this partition knows it
    bool marker = false;
  };
  struct Letter {
    size_t partition = 0;
    int64_t offset = 0;
    friend auto operator<=>(const Letter&, const Letter&) = default;
  };

  Broker()
      : events(kPartitions),
        begins(kPartitions),
        tables(kPartitions),
        owners(kPartitions),
        committed_(kPartitions) {}

  std::vector<std::vector<LoggedEvent>> events;  // by partition
  std::vector<size_t> begins;                    // of them: those before are gone
  std::vector<std::vector<TableEntry>> tables;   // by partition
  std::map<Letter, int> letters;                 // committed, and how often
  std::vector<uint64_t> owners;                  // assignments: of whom offsets are taken

  Transaction begin(uint64_t step);
  // Where it is, or nothing: the transaction was ended by somebody else.
  std::optional<size_t> append(Transaction transaction, size_t partition, TableEntry entry);
  void add_letter(Transaction transaction, Letter letter);
  // False, and nothing is taken: the partition is not the assignment's any more, or the transaction
  // was ended.
  bool send_offset(Transaction transaction, size_t partition, uint64_t assignment, Offset next);
  // How it ends, unless somebody has ended it.
  Outcome end(Transaction transaction, Outcome outcome);
  bool is_open(Transaction transaction) const;
  // Everybody has learned how it ended.
  bool is_over(Transaction transaction) const { return !transactions_.contains(transaction); }

  // Lets one partition, or the offsets, learn of a decision. choice: any number.
  void spread(uint64_t choice);
  void abort_older_than(uint64_t step);
  bool quiet() const { return transactions_.empty(); }

  // Nothing: a transaction that would change it is not ended.
  std::optional<std::optional<Offset>> stable_committed(size_t partition) const;
  std::optional<Offset> committed(size_t partition) const { return committed_[partition]; }
  void forget_offsets() { committed_.assign(kPartitions, std::nullopt); }
  // Up to where a reader of committed records sees.
  size_t stable_end(size_t partition) const;

 private:
  struct Open {
    Outcome outcome = Outcome::kOpen;
    uint64_t since = 0;
    std::set<size_t> partitions;       // that have not learned of it
    std::map<size_t, Offset> offsets;  // to be committed
    std::vector<Letter> letters;
    bool offsets_done = false;
  };

  std::map<Transaction, Open> transactions_;
  Transaction last_ = 0;
  std::vector<std::optional<Offset>> committed_;
};

}  // namespace searchsync::aggregate::simulation
