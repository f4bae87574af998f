#pragma once

// The world of the simulation, see simulation_test.cc: the log, and groups of workers that fold it.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/model/period.h"
#include "lib/model/pipeline.h"
#include "worker/core/message.h"
#include "worker/core/simulation_rows.h"
#include "worker/core/worker.h"

namespace searchsync::worker::simulation {

constexpr size_t kPartitions = 3;
constexpr size_t kUsableDays = 1;  // days that end after the record, state or message was made
constexpr size_t kLagDays = 5;     // see docs/decisions/0002-compaction-and-late-messages.md

struct LogEntry {
  EncodedMessage message;
  uint64_t appended = 0;
  size_t cleaned = 0;  // the day on which all older ones of its key were removed
  bool compacted = false;
};

// What a worker was told to do and has not been seen to do yet.
struct Effect {
  uint64_t batch = 0;
  std::variant<Send, TouchedRoots::Touch, Write, Refused> what;
  uint64_t decided = 0;
  bool is_send() const { return std::holds_alternative<Send>(what); }
};

class World;

// Of a write in several places.
enum class Arrives { kAll, kSome };

// The workers of one generation, one a partition, and the index they write.
class Group {
 public:
  Group(World& world, Generation generation);
  void tick(bool faults);
  bool quiet() const;
  // Takes its workers away, if they have committed past the records that end their duty to send.
  void retire();
  bool retired() const { return retired_; }
  // Whether all that was decided before a step is sent, applied and committed.
  bool has_heard(uint64_t before) const;
  Generation generation() const { return generation_; }
  std::map<std::string, json> documents() const;

 private:
  struct Member {
    MemoryStore store;
    std::vector<MemoryStore::Map> saved;  // what a crash may leave: any of these
    std::unique_ptr<PartitionWorker> worker;
    std::deque<Effect> under_way;
    int64_t committed = 0;
  };
  struct Indexed {
    int64_t version = -1;
    std::optional<std::string> document;
  };

  void start(size_t partition);
  void crash(size_t partition);
  void take(Member& member, Work work);
  void read(size_t partition);
  void perform_one(Member& member, bool faults);
  bool build(Member& member, Effect& effect);
  void clean_up(Member& member);
  void perform(const Effect& effect, Arrives arrives = Arrives::kAll);
  void perform(const Write& write, Arrives arrives);
  void perform(const std::string& place, const std::string& root, int64_t version,
               const std::optional<std::string>& document);

  World& world_;
  const Generation generation_;
  const model::Pipeline pipeline_;
  std::vector<Member> members_;
  std::map<std::pair<std::string, std::string>, Indexed> index_;  // by place and root
  std::vector<Effect> zombies_;
  bool retired_ = false;
};

class World {
 public:
  explicit World(uint64_t seed)
      : rng(seed),
        compacts(chance(0.7)),
        inline_edges_max(chance(0.3) ? 256 : below(2)),
        changes_a_tick(compacts ? (chance(0.5) ? 0.01 : 0.05) : 0.2),
        crashes_percent(1 + below(2)),
        late_rows(chance(0.5) ? 0.02 : 0.2),
        touches(seed % 4 == 0 ? 0.05 : 0),
        partitioned(seed % 3 != 0   ? Partitioned::kNo
                    : seed % 2 == 0 ? Partitioned::kCleaned
                                    : Partitioned::kYes),
        logs(kPartitions) {
    add_group(Generation(1));
  }

  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(rng); }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(rng); }
  // The step at which the day that many before this one began.
  uint64_t days_ago(size_t days) const {
    return days < days_.size() ? days_.rbegin()[static_cast<ptrdiff_t>(days)] : 0;
  }
  void append(Partition partition, EncodedMessage message) {
    logs[static_cast<size_t>(partition.get())].push_back({std::move(message), step});
  }
  // One more generation; its Begin records come later.
  void add_group(Generation generation);
  // The routers append a change, once for every binding that reads its table.
  void route(const Change& change);
  void tick(bool faults);
  // Much later: compaction has removed all it may.
  void age();
  bool quiet() const {
    return late_.empty() && begins_.empty() &&
           std::ranges::all_of(groups, [](const auto& g) { return g->quiet(); });
  }

  std::mt19937_64 rng;
  const bool compacts;
  const size_t inline_edges_max;
  const double changes_a_tick;
  const size_t crashes_percent;  // of the ticks
  const double late_rows;        // how many come again, later
  const double touches;          // a tick: documents that somebody wants written again
  const Partitioned partitioned;
  uint64_t step = 0;
  std::vector<std::vector<LogEntry>> logs;
  std::vector<std::unique_ptr<Group>> groups;

 private:
  struct Late {
    Partition partition;
    EncodedMessage message;
    uint64_t decided = 0;
  };

  void touch();
  void end_day();
  // Of the first `most` records.
  void compact(std::vector<LogEntry>& log, size_t most);

  const model::Pipeline pipeline_ = make_pipeline(Generation(1), partitioned);
  std::vector<uint64_t> days_{0};
  std::vector<Late> late_;                                // what a paused router still sends
  std::vector<std::pair<Generation, Partition>> begins_;  // what the operator still sends
};

}  // namespace searchsync::worker::simulation
