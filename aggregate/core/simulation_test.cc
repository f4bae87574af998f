// Random histories of events flow through processes that aggregate them in transactions, crash at
// any step, lose their disks, are paused and wake up when their partitions are somebody else's, and
// do not learn how a transaction ended. Every row that was ever committed must equal a fold of the
// events up to the one that it says it has, by code that shares nothing with what is tested; at
// last the newest rows must equal the fold of all, and each event that cannot be counted is in the
// dead letters, once if the table has a row of anything before it.
//
// SEED=n replays one history, RUNS=n sets how many are tried.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "aggregate/core/partitioner.h"
#include "aggregate/core/simulation_process.h"

namespace searchsync::aggregate {
namespace {

using model::AggregateFunction;
using simulation::Broker;
using simulation::kPartitions;
using simulation::LoggedEvent;
using simulation::Process;

constexpr int64_t kWindowMs = 8'000;
constexpr int64_t kLateMs = 3'000;
// What is needed for the ids: the window, an eighth, and what two late events may take away from
// it.
constexpr int64_t kRetentionMs = kWindowMs + kWindowMs / 8 + 2 * kLateMs;

// An event before it is written: the fold works on this.
struct Fact {
  std::string domain;
  std::string id;
  std::string type;
  std::optional<int64_t> cents;
  int time = 0;  // seconds, of the event
  std::string note;
  bool broken = false;  // its amount is no number
  bool astray = false;  // it is in a partition that is not its key's

  std::string json() const {
    std::string out = fmt::format(R"({{"domain":"{}","id":"{}","type":"{}")", domain, id, type);
    if (broken) {
      out += R"(,"amount":"much")";
    } else if (cents) {
      out += fmt::format(R"(,"amount":{}{}.{:02})", *cents < 0 ? "-" : "", std::abs(*cents) / 100,
                         std::abs(*cents) % 100);
    }
    return out + fmt::format(R"(,"at":"2026-01-01T00:{:02}:{:02}Z","note":"{}"}})", time / 60,
                             time % 60, note);
  }
};

model::AggregateSpec spec(bool dedupe) {
  model::AggregateSpec spec;
  const auto where = [](const char* type) {
    return std::vector<model::ColumnCondition>{{"type", {type}}};
  };
  spec.columns = {
      {.name = "delivered", .where = where("delivered")},
      {.name = "bounced", .where = where("bounced")},
      {.name = "amount", .compute = AggregateFunction::kSum, .column = "amount"},
      {.name = "earliest", .compute = AggregateFunction::kFirst, .column = "note", .by = "at"},
      {.name = "latest", .compute = AggregateFunction::kLast, .column = "note"},
      {.name = "lowest", .compute = AggregateFunction::kMin, .column = "amount"}};
  spec.derived = {
      {.name = "status",
       .rules = {{.when = {{"bounced", 1, {}}}, .value = "not-catch-all", .sticks = true},
                 {.when = {{"delivered", 5, {}}, {"bounced", {}, 0}}, .value = "catch-all"}},
       .otherwise = "unknown"},
      {.name = "wealth",
       .rules = {{.when = {{"amount", {}, -3}}, .value = "debt"},
                 {.when = {{"amount", 8, {}}}, .value = "rich", .sticks = true}},
       .otherwise = "none"}};
  if (dedupe) spec.dedupe = model::DedupeSpec{.by = "id", .window = std::chrono::seconds(8)};
  spec.interval = std::chrono::milliseconds(500);
  return spec;
}

// One group, by a plain fold.
struct Folded {
  int delivered = 0, bounced = 0;
  std::optional<int64_t> cents, lowest;
  std::optional<std::pair<int, std::string>> earliest;
  std::string latest;
  bool was_rich = false;

  void add(const Fact& fact) {
    delivered += fact.type == "delivered" ? 1 : 0;
    bounced += fact.type == "bounced" ? 1 : 0;
    if (fact.cents) {
      cents = cents.value_or(0) + *fact.cents;
      lowest = std::min(lowest.value_or(*fact.cents), *fact.cents);
    }
    if (!earliest || fact.time < earliest->first) earliest = {fact.time, fact.note};
    latest = fact.note;
    was_rich = was_rich || cents.value_or(0) >= 800;
  }

  static std::string amount(std::optional<int64_t> cents, const char* none) {
    if (!cents) return none;
    return fmt::format("{}{}.{:02}", *cents < 0 ? "-" : "", std::abs(*cents) / 100,
                       std::abs(*cents) % 100);
  }

  std::string row(const std::string& domain) const {
    const char* status = bounced > 0 ? "not-catch-all" : delivered >= 5 ? "catch-all" : "unknown";
    const char* wealth = cents && *cents <= -300 ? "debt" : was_rich ? "rich" : "none";
    return fmt::format(
        R"({{"domain":"{}","delivered":{},"bounced":{},"amount":{},"earliest":"{}","latest":"{}",)"
        R"("lowest":{},"status":"{}","wealth":"{}"}})",
        domain, delivered, bounced, amount(cents, "0"), earliest->second, latest,
        amount(lowest, "null"), status, wealth);
  }
};

class History {
 public:
  explicit History(uint64_t seed)
      : random_(seed),
        dedupe_(chance(0.7)),
        definition_({"domain"}, {"domain"}, spec(dedupe_)),
        retained_(chance(0.5)) {
    for (int i = 0; i < 3; ++i) {
      processes_.push_back(std::make_unique<Process>(definition_, broker_, random_));
    }
    for (size_t partition = 0; partition < kPartitions; ++partition) give(partition);
  }

  void run() {
    const size_t count = 100 + below(500);
    while (facts_ < count && !testing::Test::HasFailure()) {
      ++step_;
      now_ms_ += static_cast<int64_t>(below(60));
      if (chance(0.3)) produce();
      disturb();
      tick();
    }
    settle();
    check();
  }

 private:
  size_t below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

  // Some come again, soon or late, and some by way of a clock that is behind.
  void produce() {
    Fact fact;
    if (!sent_.empty() && chance(0.2)) {
      fact = sent_[sent_.size() - 1 - below(std::min<size_t>(sent_.size(), 40))];
    } else {
      const std::array types{"delivered", "delivered", "bounced", "opened"};
      fact = {.domain = fmt::format("d{}", below(7)),
              .id = fmt::format("e{}", ++facts_),
              .type = chance(0.9) ? types[below(2)] : types[below(4)],
              .cents = {},
              .time = static_cast<int>(below(3000)),
              .note = fmt::format("n{}", below(1000)),
              .broken = chance(0.03),
              .astray = chance(0.02)};
      if (chance(0.5)) fact.cents = static_cast<int64_t>(below(700)) - 330;
      sent_.push_back(fact);
    }
    const auto partitions = static_cast<int32_t>(kPartitions);
    auto partition = static_cast<size_t>(partition_of_key(fact.domain, partitions));
    if (fact.astray) partition = (partition + 1) % kPartitions;
    const auto late = static_cast<int64_t>(chance(0.1) ? below(kLateMs) : 0);
    broker_.events[partition].push_back({fact.domain, fact.json(), now_ms_ - late});
    written_[partition].push_back(fact);
  }

  void give(size_t partition) {
    broker_.owners[partition] = ++assignments_;
    processes_[below(processes_.size())]->assign(partition, assignments_);
  }

  void disturb() {
    broker_.spread(random_());
    if (chance(0.05)) broker_.abort_older_than(step_ - std::min<uint64_t>(step_, 60));
    if (chance(0.01)) {
      auto& crashed = processes_[below(processes_.size())];
      std::vector<size_t> lost;
      for (size_t p = 0; p < kPartitions; ++p) {
        if (crashed->assignment(p) == broker_.owners[p]) lost.push_back(p);
      }
      crashed->crash();
      for (const size_t partition : lost) give(partition);
    }
    if (chance(0.01)) {  // sometimes for longer than a transaction may last
      processes_[below(processes_.size())]->sleep_until(step_ + below(150));
    }
    if (chance(0.01)) give(below(kPartitions));  // whoever has it does not know yet
    // Both together are an error: nobody knows then whether what is gone was counted.
    if (retained_) {
      if (chance(0.02)) expire(below(kPartitions));
    } else if (chance(0.002)) {
      broker_.forget_offsets();
      forgot_ = true;
    }
  }

  // What is counted goes once it is older than the retention, sometimes all that is there. The
  // retention is long enough for what the counting is behind, too.
  void expire(size_t partition) {
    const auto& events = broker_.events[partition];
    auto& begin = broker_.begins[partition];
    const auto counted =
        static_cast<size_t>(broker_.committed(partition).value_or(Offset(0)).get());
    int64_t before = now_ms_;
    if (counted < events.size()) before = std::min(before, events[counted].timestamp_ms);
    before -= kRetentionMs;
    while (begin < counted && events[begin].timestamp_ms < before) ++begin;
  }

  void tick() {
    auto& process = *processes_[below(processes_.size())];
    // Between two transactions it hears of what it has lost; sometimes late.
    for (size_t p = 0; p < kPartitions; ++p) {
      const bool lost = process.has(p) && process.assignment(p) != broker_.owners[p];
      if (lost && !process.in_transaction() && chance(0.1)) process.lose(p);
    }
    process.tick(step_, now_ms_);
  }

  bool quiet() const {
    if (!broker_.quiet()) return false;
    for (size_t p = 0; p < kPartitions; ++p) {
      const auto committed = broker_.committed(p);
      const auto end = static_cast<int64_t>(broker_.events[p].size());
      if (end > 0 && (!committed || committed->get() != end)) return false;
    }
    return std::ranges::all_of(processes_, [](const auto& one) { return one->done(); });
  }

  // Nothing fails any more.
  void settle() {
    for (int i = 0; !quiet(); ++i) {
      ASSERT_LT(i, 60'000) << "does not come to rest";
      ++step_;
      now_ms_ += 50;
      broker_.spread(random_());
      broker_.abort_older_than(step_ - std::min<uint64_t>(step_, 60));
      tick();
    }
  }

  // By the definition of the window, from nothing but what is in the partition.
  std::vector<bool> counted(size_t partition) const {
    std::vector<bool> counted;
    std::map<std::string, int64_t> slices;
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < written_[partition].size(); ++i) {
      const Fact& fact = written_[partition][i];
      newest = std::max(newest, broker_.events[partition][i].timestamp_ms);
      if (fact.broken || fact.astray) {
        counted.push_back(false);
        continue;
      }
      const int64_t slice = newest / (kWindowMs / 8);
      const auto known = slices.find(fact.id);
      counted.push_back(!dedupe_ || known == slices.end() || slice - known->second > 8);
      slices[fact.id] = slice;
    }
    return counted;
  }

  void check() {
    std::map<std::string, std::string> want, got;
    std::set<Broker::Letter> refused;
    for (size_t p = 0; p < kPartitions; ++p) {
      const auto counts = counted(p);
      std::map<std::string, Folded> groups;
      std::map<std::pair<std::string, int64_t>, std::string> rows;  // by domain and newest event
      for (size_t i = 0; i < written_[p].size(); ++i) {
        const Fact& fact = written_[p][i];
        const auto offset = static_cast<int64_t>(i);
        if (fact.broken || fact.astray) {
          const Broker::Letter letter{p, offset};
          EXPECT_TRUE(broker_.letters.contains(letter)) << offset;
          if (!groups.empty() && !forgot_) {
            EXPECT_EQ(broker_.letters[letter], 1) << offset;
          }
          refused.insert(letter);
        }
        if (!counts[i]) continue;
        auto& group = groups[fact.domain];
        group.add(fact);
        want[fact.domain] = rows[{fact.domain, offset}] = group.row(fact.domain);
      }
      Group state(definition_);
      for (const auto& entry : broker_.tables[p]) {
        if (entry.marker || entry.outcome != Broker::Outcome::kCommitted) continue;
        ASSERT_TRUE(state.decode(entry.state));
        const std::pair place{entry.key, state.through().get()};
        ASSERT_TRUE(rows.contains(place)) << entry.key << " through " << place.second;
        ASSERT_EQ(entry.value, rows[place]) << "partition " << p << " through " << place.second;
        got[entry.key] = entry.value;
      }
    }
    ASSERT_EQ(got, want);
    EXPECT_EQ(broker_.letters.size(), refused.size())
        << "what can be counted is in the dead letters";
  }

  std::mt19937_64 random_;
  const bool dedupe_;
  const Definition definition_;
  Broker broker_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Fact> sent_;
  std::array<std::vector<Fact>, kPartitions> written_;  // as in the topic
  size_t facts_ = 0;
  uint64_t assignments_ = 0;
  uint64_t step_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
  bool forgot_ = false;
  const bool retained_;  // events do not stay for ever
};

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(Aggregate, EqualsTheFoldWhateverFails) {
  const uint64_t first = from_environment("SEED", 1);
  const uint64_t runs = from_environment("RUNS", std::getenv("SEED") == nullptr ? 100 : 1);
  std::cout << "histories of seeds " << first << " to " << first + runs - 1 << "\n";
  for (uint64_t seed = first; seed < first + runs && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("SEED={}", seed));
    History(seed).run();
  }
}

}  // namespace
}  // namespace searchsync::aggregate
