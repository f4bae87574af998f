// Random histories of rows flow through partitioned logs, workers that crash, lose their state, go
// on from an older one, wake up as zombies and send everything twice, into indices that only know
// external versions; the log is compacted behind them. Part-way a second generation starts to
// rebuild from the beginning of the log, silently, until a Lead record in each partition hands it
// the duty to send; sometimes another record hands it back. When all is quiet both indices must
// equal a join computed straight from the final rows; and at no time are two documents written with
// one version, or an older state over a newer one. A generation writes nothing before its Begin
// records, which come at any time, and sometimes again. In every fourth history somebody has
// documents written again, at any time. In every third the index is partitioned by a column that
// changes often: then each day is an index of its own, in which a write arrives or not by itself,
// and each document must be in its place and nowhere else. At last all is compacted that may be,
// and a third generation, built from what is left, must equal the join too.
//
// A day ends when all that was decided before it began has been sent, applied and committed, and
// every worker has caught up with it: so nothing is late by two days. Compaction may remove what is
// older than kLagDays.
//
// SEED=n replays one history, RUNS=n sets how many are tried.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "worker/core/simulation_rows.h"
#include "worker/core/simulation_world.h"

namespace searchsync::worker {
namespace {

using simulation::Change;
using simulation::Group;
using simulation::json;
using simulation::kPartitions;
using simulation::kUsableDays;
using simulation::World;

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
      world.add_group(Generation(2));
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
    const auto want = simulation::join(rows, group->generation(), world.partitioned);
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
  world.add_group(Generation(3));
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
