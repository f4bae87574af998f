// Random histories of rows flow through partitioned logs, workers that crash, lose their state, go
// on from an older one, wake up as zombies and send everything twice, into indices that only know
// external versions; the log is compacted behind them. Part-way a second generation starts to
// rebuild from the beginning of the log, silently, until a Lead record in each partition hands it
// the duty to send; sometimes another record hands it back. When all is quiet both indices must
// equal a join computed straight from the final rows; and at no time are two documents written with
// one version, or an older state over a newer one. At last all is compacted that may be, and a
// third generation, built from what is left, must equal the join too.
//
// A day ends when all that was decided before it began has been sent, applied and committed, and
// every worker has caught up with it: so nothing is late by two days. Compaction may remove what is
// older than kLagDays.
//
// SEED=n replays one history, RUNS=n sets how many are tried.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "lib/model/pipeline.h"
#include "worker/core/simulation_rows.h"
#include "worker/core/worker.h"

namespace searchsync::worker {
namespace {

using simulation::Change;
using simulation::json;

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
  void perform(const Effect& effect);

  World& world_;
  const Generation generation_;
  const model::Pipeline pipeline_;
  std::vector<Member> members_;
  std::map<std::string, Indexed> index_;
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
        logs(kPartitions) {
    groups.push_back(std::make_unique<Group>(*this, Generation(1)));
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
  // The routers append a change, once for every binding that reads its table.
  void route(const Change& change);
  void tick(bool faults);
  // Much later: compaction has removed all it may.
  void age();
  bool quiet() const {
    return late_.empty() && std::ranges::all_of(groups, [](const auto& g) { return g->quiet(); });
  }

  std::mt19937_64 rng;
  const bool compacts;
  const size_t inline_edges_max;
  const double changes_a_tick;
  const size_t crashes_percent;  // of the ticks
  const double late_rows;        // how many come again, later
  uint64_t step = 0;
  std::vector<std::vector<LogEntry>> logs;
  std::vector<std::unique_ptr<Group>> groups;

 private:
  struct Late {
    Partition partition;
    EncodedMessage message;
    uint64_t decided = 0;
  };

  void end_day();
  // Of the first `most` records.
  void compact(std::vector<LogEntry>& log, size_t most);

  const model::Pipeline pipeline_ = simulation::make_pipeline(Generation(1));
  std::vector<uint64_t> days_{0};
  std::vector<Late> late_;  // what a paused router still sends
};

void World::route(const Change& change) {
  for (const auto& name : simulation::bindings_of(change.table)) {
    BindingId id = 0;
    while (pipeline_.binding(id).name != name) ++id;
    const std::string key = std::to_string(change.key), row = change.row.dump();
    Message message{
        .kind = MessageKind::kRow, .binding = id, .key = key, .position = {0, change.position}};
    if (!change.row.is_null()) message.row = row;
    const auto to = partition_of(id, key, kPartitions);
    append(to, encode(message));
    if (chance(late_rows)) late_.push_back({to, encode(message), step});
  }
}

void World::tick(bool faults) {
  ++step;
  groups[below(groups.size())]->tick(faults);
  if (!late_.empty() && chance(0.03)) {
    const auto at = late_.begin() + static_cast<ptrdiff_t>(below(late_.size()));
    append(at->partition, at->message);
    late_.erase(at);
  }
  if (chance(0.1)) end_day();
  if (compacts && chance(0.02)) {
    auto& log = logs[below(kPartitions)];
    compact(log, below(log.size() + 1));
  }
}

void World::age() {
  for (size_t day = 0; day < 20; ++day) {
    days_.push_back(++step);
    for (auto& log : logs) compact(log, log.size());
  }
}

void World::end_day() {
  const uint64_t began = days_.back();
  const bool heard =
      std::ranges::none_of(late_, [&](const Late& late) { return late.decided < began; }) &&
      std::ranges::all_of(groups, [&](const auto& group) { return group->has_heard(began); });
  if (heard && step > began) days_.push_back(step);
}

// Of the records older than min.compaction.lag.ms keeps the newest of each key. A deletion stays
// for delete.retention.ms after the first time that it was all that was left.
void World::compact(std::vector<LogEntry>& log, size_t most) {
  std::map<std::string, LogEntry*> newest;
  for (size_t i = 0; i < most && log[i].appended < days_ago(kLagDays); ++i) {
    if (log[i].compacted) continue;
    const auto [at, added] = newest.try_emplace(log[i].message.key, &log[i]);
    if (added) continue;
    at->second->compacted = true;
    at->second = &log[i];
  }
  for (const auto& [key, entry] : newest) {
    if (entry->message.value) continue;
    if (entry->cleaned == 0) entry->cleaned = days_.size();
    if (days_.size() > entry->cleaned + kUsableDays && chance(0.5)) entry->compacted = true;
  }
}

Group::Group(World& world, Generation generation)
    : world_(world),
      generation_(generation),
      pipeline_(simulation::make_pipeline(generation)),
      members_(kPartitions) {
  for (size_t p = 0; p < kPartitions; ++p) start(p);
}

void Group::start(size_t partition) {
  auto& member = members_[partition];
  member.worker = std::make_unique<PartitionWorker>(
      pipeline_,
      PartitionWorker::Options{.partition = Partition(static_cast<int32_t>(partition)),
                               .partitions = kPartitions,
                               .generation = generation_,
                               .inline_edges_max = world_.inline_edges_max},
      member.store);
  member.worker->start({.identity = "log",
                        .committed = Offset(member.committed),
                        .end = Offset(static_cast<int64_t>(world_.logs[partition].size())),
                        .now_ms = static_cast<int64_t>(world_.step),
                        .oldest_usable_ms = static_cast<int64_t>(world_.days_ago(kUsableDays))});
  for (auto& work : member.worker->resume()) take(member, std::move(work));
}

// The partition moves: the old owner's effects may still land, the new one starts from nothing, or
// from what a disk kept.
void Group::crash(size_t partition) {
  auto& member = members_[partition];
  for (auto& effect : member.under_way) {
    if (world_.chance(0.5) && build(member, effect)) zombies_.push_back(std::move(effect));
  }
  member.under_way.clear();
  member.worker.reset();
  const bool lost = member.saved.empty() || world_.chance(0.4);
  member.store.restore(lost ? MemoryStore::Map{} : member.saved[world_.below(member.saved.size())]);
  start(partition);
}

void Group::take(Member& member, Work work) {
  EXPECT_TRUE(work.refused.empty() || generation_ != Generation(1));
  const auto add = [&](auto& pieces) {
    for (auto& piece : pieces) {
      member.under_way.push_back({work.batch, std::move(piece), world_.step});
    }
  };
  add(work.sends);
  add(work.touched);
  add(work.refused);
  member.saved.push_back(member.store.map());
  if (member.saved.size() > 4) {  // an old one stays for long
    const size_t forgotten = world_.chance(0.02) ? 0 : 1 + world_.below(3);
    member.saved.erase(member.saved.begin() + static_cast<ptrdiff_t>(forgotten));
  }
}

void Group::read(size_t partition) {
  auto& member = members_[partition];
  const auto& log = world_.logs[partition];
  std::vector<LogRecord> records;
  const size_t most = 1 + world_.below(5);
  auto at = static_cast<size_t>(member.worker->applied().get());
  for (; at < log.size() && records.size() < most; ++at) {
    const auto& message = log[at].message;
    if (log[at].compacted) continue;
    records.push_back({.offset = Offset(static_cast<int64_t>(at)),
                       .key = message.key,
                       .value = message.value,
                       .meta = message.value ? std::optional<std::string_view>() : message.meta,
                       .timestamp_ms = static_cast<int64_t>(log[at].appended)});
  }
  if (records.empty()) {
    member.worker->reached(Offset(static_cast<int64_t>(log.size())),
                           static_cast<int64_t>(world_.step));
  } else {
    take(member, member.worker->apply(records));
  }
  ASSERT_FALSE(member.worker->halted()) << member.worker->halted()->message;
}

// Makes a touched document a write. False if there is nothing to write.
bool Group::build(Member& member, Effect& effect) {
  const auto* touch = std::get_if<TouchedRoots::Touch>(&effect.what);
  if (touch == nullptr) return true;
  auto made = member.worker->write(touch->root, touch->changed_at_us);
  if (!made) return false;
  effect.what = std::move(*made);
  return true;
}

void Group::perform(const Effect& effect) {
  if (const auto* send = std::get_if<Send>(&effect.what)) {
    world_.append(send->partition, send->message);
  } else if (const auto* write = std::get_if<Write>(&effect.what)) {
    auto& indexed = index_[write->root];
    if (write->version < indexed.version) return;
    EXPECT_TRUE(write->version > indexed.version || write->document == indexed.document)
        << "two documents with version " << write->version;
    EXPECT_FALSE(simulation::went_back(indexed.document, write->document));
    indexed = {write->version, write->document};
  }
}

// Sends of one worker keep their order (one idempotent producer); writes overtake each other
// freely.
void Group::perform_one(Member& member, bool faults) {
  std::vector<size_t> pool;
  bool send_seen = false;
  for (size_t i = 0; i < member.under_way.size(); ++i) {
    if (member.under_way[i].is_send() && std::exchange(send_seen, true)) continue;
    pool.push_back(i);
  }
  const auto chosen =
      member.under_way.begin() + static_cast<ptrdiff_t>(pool[world_.below(pool.size())]);
  if (!build(member, *chosen)) {
    const uint64_t batch = chosen->batch;
    member.under_way.erase(chosen);
    member.worker->acknowledge(batch);
    return;
  }
  if (const auto* write = std::get_if<Write>(&chosen->what); write && faults) {
    if (world_.chance(0.2)) return;  // on its way, for long
    if (world_.chance(0.1)) {        // pushed back
      chosen->what = TouchedRoots::Touch{write->root, write->changed_at_us};
      return;
    }
  }
  perform(*chosen);
  if (faults && world_.chance(0.1)) return;  // done, but the answer was lost: done again later
  const uint64_t batch = chosen->batch;
  member.under_way.erase(chosen);
  member.worker->acknowledge(batch);
}

void Group::tick(bool faults) {
  const size_t partition = world_.below(kPartitions);
  auto& member = members_[partition];
  const size_t choice = world_.below(100);
  if (retired_) {
    // Only its zombies are left.
  } else if (choice < 45) {
    read(partition);
  } else if (choice < 50) {
    if (auto work = member.worker->fan_out(1 + world_.below(3))) take(member, std::move(*work));
  } else if (choice < 95) {
    if (!member.under_way.empty()) perform_one(member, faults);
    const int64_t committable = member.worker->committable().get();
    EXPECT_GE(committable, 0);
    if (world_.chance(0.3)) member.committed = std::max(member.committed, committable);
  } else if (faults && choice >= 100 - world_.crashes_percent) {
    crash(partition);
  }
  if (!zombies_.empty() && world_.chance(0.05)) {
    const auto at = zombies_.begin() + static_cast<ptrdiff_t>(world_.below(zombies_.size()));
    perform(*at);
    zombies_.erase(at);
  }
}

void Group::retire() {
  const std::string lead = encode_lead(Generation(2)).key;
  for (size_t p = 0; p < kPartitions; ++p) {
    const auto& log = world_.logs[p];
    const auto last = std::ranges::find(log.rbegin(), log.rend(), lead,
                                        [](const LogEntry& entry) { return entry.message.key; });
    if (members_[p].committed < log.rend() - last) return;
  }
  for (auto& member : members_) {
    for (auto& effect : member.under_way) {
      if (world_.chance(0.5) && build(member, effect)) zombies_.push_back(std::move(effect));
    }
    member.under_way.clear();
  }
  retired_ = true;
}

bool Group::has_heard(uint64_t before) const {
  const auto decided_before = [&](const Effect& effect) { return effect.decided < before; };
  if (std::ranges::any_of(zombies_, decided_before)) return false;
  for (size_t p = 0; p < kPartitions && !retired_; ++p) {
    if (std::ranges::any_of(members_[p].under_way, decided_before)) return false;
    const auto& log = world_.logs[p];
    const auto& member = members_[p];
    const auto next =
        static_cast<size_t>(std::min(member.committed, member.worker->applied().get()));
    if (next < log.size() && log[next].appended < before) return false;
  }
  return true;
}

bool Group::quiet() const {
  if (!zombies_.empty()) return false;
  for (size_t p = 0; p < kPartitions && !retired_; ++p) {
    const auto& member = members_[p];
    if (!member.under_way.empty() || member.worker->fanning_out()) return false;
    if (member.worker->committable().get() < static_cast<int64_t>(world_.logs[p].size()))
      return false;
  }
  return true;
}

std::map<std::string, json> Group::documents() const {
  std::map<std::string, json> all;
  for (const auto& [root, indexed] : index_) {
    if (indexed.document) all[root] = json::parse(*indexed.document);
  }
  return all;
}

// From the start of the history until all is quiet.
void run(World& world, const std::vector<Change>& history) {
  std::vector<uint64_t> routed;  // when
  std::vector<std::pair<Generation, Partition>> handovers;
  for (size_t i = 0; i < kPartitions * (world.chance(0.5) ? 2 : 1); ++i) {
    handovers.emplace_back(i < kPartitions ? 2 : 1, static_cast<int32_t>(i % kPartitions));
  }
  size_t handed = 0;
  while (routed.size() < history.size() || handed < handovers.size() || !world.quiet()) {
    ASSERT_LT(world.step, 50'000) << "does not come to rest";
    ASSERT_FALSE(testing::Test::HasFailure());
    const bool done = routed.size() == history.size();
    if (world.groups.size() == 1 && (done || world.chance(0.1 * world.changes_a_tick))) {
      world.groups.push_back(std::make_unique<Group>(world, Generation(2)));
    } else if (world.groups.size() == 2 && handed < handovers.size() && world.chance(0.02)) {
      const auto [generation, partition] = handovers[handed++];
      world.append(partition, encode_lead(generation));
    } else if (handed == kPartitions && handed == handovers.size() && world.chance(0.02)) {
      world.groups.front()->retire();
    }
    if (!done && world.chance(world.changes_a_tick)) {
      world.route(history[routed.size()]);
      routed.push_back(world.step);
      if (world.chance(0.1)) {  // the router crashed: it sends its last batch again
        const size_t again = std::min(routed.size(), 1 + world.below(8));
        for (size_t i = routed.size() - again; i < routed.size(); ++i) {
          if (routed[i] >= world.days_ago(kUsableDays)) world.route(history[i]);
        }
      }
    }
    // First safety, then liveness: at last nothing fails any more.
    world.tick(!done || handed < handovers.size());
  }
}

void expect_join(const World& world, const simulation::Rows& rows) {
  for (const auto& group : world.groups) {
    if (group->retired()) continue;
    const auto want = simulation::join(rows, group->generation());
    const auto got = group->documents();
    ASSERT_EQ(got, want) << "generation " << group->generation().get() << "\ngot " << json(got)
                         << "\nwant " << json(want);
  }
}

void simulate(uint64_t seed) {
  SCOPED_TRACE(fmt::format("SEED={}", seed));
  World world(seed);
  std::mt19937_64 rng(seed + 1'000'000'007);
  simulation::Rows rows;
  run(world, simulation::make_history(rng, rows));
  if (testing::Test::HasFailure()) return;
  expect_join(world, rows);
  world.age();
  world.groups.push_back(std::make_unique<Group>(world, Generation(3)));
  while (!world.quiet()) {
    ASSERT_LT(world.step, 100'000) << "does not come to rest";
    world.tick(false);
  }
  expect_join(world, rows);
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(DocumentLog, EqualsTheJoinWhateverCrashes) {
  const uint64_t first = from_environment("SEED", 1);
  const uint64_t runs = from_environment("RUNS", std::getenv("SEED") == nullptr ? 300 : 1);
  std::cout << "histories of seeds " << first << " to " << first + runs - 1 << "\n";
  for (uint64_t seed = first; seed < first + runs && !HasFailure(); ++seed) simulate(seed);
}

}  // namespace
}  // namespace searchsync::worker
