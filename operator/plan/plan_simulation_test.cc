// Random worlds, random edits, everything that can break breaking at any step. Safety always; and
// once nothing breaks any more, what is declared comes true and the plan becomes empty.
//
//   SEED=17 plan_test --gtest_filter=PlanSimulation.*        replays one history
//   SEED=17 HISTORIES=5000 plan_test ...                     many, from there

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "operator/plan/fake_world.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kHistories = 20;
constexpr int kTicks = 150;
constexpr int kTicksToConverge = 600;

std::string text(const Plan& plan) {
  std::string all;
  for (const auto& step : plan.steps) {
    all += fmt::format("{} | {} | {} | {}\n", step.owner, describe(step.action), step.reason,
                       step.precondition);
  }
  for (const auto& status : plan.indices) {
    all += fmt::format("{} {} {}\n", status.index, to_string(status.phase), status.message);
  }
  return all;
}

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), world_(seed + 1) {
    for (const auto* table : kTables) world_.add_source(table, below(12));
    world_.change_rows();
    world_.declare(resources(declared_));
  }

  void run() {
    for (int tick = 0; tick < kTicks && sound(); ++tick) {
      disturb();
      step();
    }
    world_.repair();
    declared_.approval = model::Approval::kAutomatic;
    declared_.suspend = false;
    world_.declare(resources(declared_));
    disturbed_ = false;
    converge();
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }
  bool sound() const { return world_.broken_invariant().empty() && !testing::Test::HasFailure(); }

  void disturb() {
    if (one_in(12)) declared_.shape = below(3);
    if (one_in(30)) declared_.topology = below(2);
    if (one_in(30)) declared_.replicas = below(3);
    if (one_in(40)) declared_.suspend = !declared_.suspend;
    if (one_in(30)) {
      declared_.approval = one_in(2) ? model::Approval::kManual : model::Approval::kAutomatic;
    }
    world_.declare(resources(declared_));
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kEngine);
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kKafka);
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kWorkers);
    if (one_in(4)) world_.repair();
    if (one_in(40)) world_.lose_notes();
    world_.pass(milliseconds(below(8'000)));
    world_.work(below(60));
  }

  Plan step() {
    const Observed observed = world_.observe();
    const Plan now = plan(observed, {}, world_.now());
    EXPECT_EQ(text(now), text(plan(observed, {}, world_.now()))) << "the same seen, another plan";
    for (const auto& one : now.steps) {
      if (disturbed_ && one_in(10)) {
        world_.execute_badly(one);
        break;
      }
      if (disturbed_ && one_in(15)) break;
      if (world_.execute(one) == FakeWorld::Outcome::kFailed) break;
      if (disturbed_) world_.work(below(5));
    }
    EXPECT_EQ(world_.broken_invariant(), "") << text(now);
    check_alias(now);
    return now;
  }

  // Once set, always on exactly one generation that is there.
  void check_alias(const Plan& now) {
    const auto alias = world_.aliases().find("runs");
    if (alias == world_.aliases().end()) {
      EXPECT_FALSE(served_) << "the alias is gone\n" << text(now);
      return;
    }
    served_ = true;
    EXPECT_TRUE(world_.indices().contains(alias->second)) << text(now);
  }

  void converge() {
    int quiet = 0;
    std::string last;
    for (int tick = 0; tick < kTicksToConverge && sound(); ++tick) {
      if (tick == 50) world_.quiet();
      world_.pass(seconds(2));
      world_.work(400);
      const Plan now = step();
      last = text(now);
      const bool retired = world_.indices().size() == 1 && !now.indices.empty() &&
                           now.indices[0].phase == Phase::kServing;
      quiet = now.steps.empty() && retired ? quiet + 1 : 0;
      if (quiet < 3) continue;
      check_converged(now);
      return;
    }
    ADD_FAILURE() << "it does not converge; " << world_.indices().size() << " indices\n" << last;
  }

  void check_converged(const Plan& now) {
    ASSERT_EQ(now.indices.size(), 1u);
    const auto& status = now.indices[0];
    EXPECT_EQ(status.phase, Phase::kServing) << status.message;
    EXPECT_EQ(status.alias, status.desired);
    for (const auto& condition : status.conditions) {
      const bool good = condition.type == "Ready" || condition.type == "Available";
      EXPECT_EQ(condition.status, good ? ConditionStatus::kTrue : ConditionStatus::kFalse)
          << condition.type << ": " << condition.message;
    }
    EXPECT_EQ(world_.indices().at(status.desired).replicas, declared_.replicas);
    world_.work(2'000);
    EXPECT_TRUE(world_.settled(status.desired)) << "a record was never answered";
    EXPECT_EQ(world_.workloads().size(), 3u);  // capture, worker, query
  }

  std::mt19937_64 random_;
  FakeWorld world_;
  Declared declared_;
  bool disturbed_ = true;
  bool served_ = false;
};

TEST(PlanSimulation, SafeAlwaysAndLiveOnceNothingBreaks) {
  const char* seed = std::getenv("SEED");
  const uint64_t first = seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
  const char* histories = std::getenv("HISTORIES");
  const uint64_t usual = seed == nullptr ? kHistories : 1;
  const uint64_t count = histories == nullptr ? usual : std::strtoull(histories, nullptr, 10);
  for (uint64_t i = first; i < first + count; ++i) {
    History(i).run();
    ASSERT_FALSE(HasFailure()) << "SEED=" << i;
  }
}

}  // namespace
}  // namespace searchsync::plan
