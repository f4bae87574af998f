// Random worlds, random edits, everything that can break breaking at any step, people who change
// the engine by hand. Safety always; and once nothing breaks any more, what is declared comes true
// and the plan becomes empty. Then, where that is to be left alone, it is.
//
//   SEED=17 plan_test --gtest_filter=PlanSimulation.*        replays one history
//   SEED=17 HISTORIES=5000 plan_test ...                     many, from there

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "lib/elastic/mixable.h"
#include "lib/model/pipeline.h"
#include "lib/model/retention.h"
#include "operator/plan/fake_world.h"
#include "operator/plan/partitions.h"
#include "operator/plan/renew.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kHistories = 6;
constexpr int kTicks = 150;
constexpr int kTicksToConverge = 600;
constexpr int kHours[] = {0, 3, 6};  // that partitions are kept

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
    world_.add_events(kCountedTopic, below(12));
    world_.change_rows();
    declare();
  }

  void run() {
    for (int tick = 0; tick < kTicks && sound(); ++tick) {
      disturb();
      step();
    }
    world_.repair();
    world_.slow_down(milliseconds(0));
    declared_.approval = model::Approval::kAutomatic;
    declared_.suspend = false;
    declared_.serve.reset();
    declared_.hits_min = 0;
    declared_.drift = model::Drift::kCorrect;
    declared_.adoption = model::Adoption::kTakeAlias;  // where nobody remembers whose the alias was
    declare();
    put_right();
    disturbed_ = false;
    converge();
    if (!sound()) return;
    declared_.drift = model::Drift::kReport;
    declared_.adoption = model::Adoption::kRefuse;
    declare();
    for (int change = 0; change < 3 && sound(); ++change) hands_off();
    declared_.drift = model::Drift::kCorrect;
    declare();
    converge();
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }
  bool sound() const { return world_.broken_invariant().empty() && !testing::Test::HasFailure(); }

  void declare() { world_.declare(resources(declared_)); }

  void disturb() {
    if (one_in(12)) declared_.shape = below(3);
    if (one_in(30)) declared_.topology = below(2);
    if (one_in(30)) declared_.replicas = below(3);
    if (one_in(40)) declared_.suspend = !declared_.suspend;
    if (one_in(40)) declared_.autoscaling = !declared_.autoscaling;
    if (one_in(40)) declared_.events = !declared_.events;
    if (one_in(40)) declared_.counts = below(3);
    if (one_in(40)) declared_.counts_http = !declared_.counts_http;
    if (one_in(20)) declared_.hours = kHours[below(3)];
    if (one_in(15)) declared_.fields = below(4);
    if (one_in(15)) {
      declared_.on_mapping_change =
          one_in(3) ? model::OnMappingChange::kRebuild : model::OnMappingChange::kNewPartitions;
    }
    if (declared_.hours > 0 && one_in(20)) world_.pass(std::chrono::minutes(below(90)));
    if (one_in(25)) declared_.serve = any_index().get();
    if (one_in(10)) declared_.serve.reset();
    if (one_in(30)) declared_.hits_min = below(3);
    world_.find(below(4));
    if (one_in(30)) {
      declared_.approval = one_in(2) ? model::Approval::kManual : model::Approval::kAutomatic;
    }
    if (one_in(60)) declared_.drift = model::Drift::kReport;
    if (one_in(8)) declared_.drift = model::Drift::kCorrect;
    declare();
    if (one_in(10)) change_by_hand();
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kEngine);
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kKafka);
    if (one_in(15)) world_.break_down(FakeWorld::Fault::kWorkers);
    if (one_in(4)) world_.repair();
    world_.slow_down(milliseconds(one_in(3) ? below(4'000) : 0));
    if (one_in(40) && !only_notes_know()) world_.lose_notes();
    world_.pass(milliseconds(below(8'000)));
    world_.work(below(60));
  }

  // One that exists, or one that does not.
  IndexName any_index() {
    auto chosen = static_cast<size_t>(below(3));
    for (const auto& [name, index] : world_.indices()) {
      if (chosen-- == 0) return name;
    }
    return IndexName("runs-gone");
  }

  IndexName declared_index() const {
    const auto all = resources(declared_);
    for (const auto& [name, index] : world_.indices()) {
      if (content_of(index.recipe) == model::generation_hash(all.indices[0], all.bindings)) {
        return name;
      }
    }
    return model::generation_index_name(all.indices[0], all.bindings);
  }

  bool noted(const IndexName& name) {
    const auto notes = world_.notes().find("default/test-runs");
    return notes != world_.notes().end() && notes->second.generations.contains(name);
  }

  // Only the notes know that readers were led to what is not complete, or what an index is.
  bool only_notes_know() const {
    const auto alias = world_.aliases().find("runs");
    return std::ranges::any_of(world_.indices(), [&](const auto& entry) {
      const auto& [name, index] = entry;
      const bool read =
          alias != world_.aliases().end() && std::ranges::count(alias->second.to, name) > 0;
      return !index.marked || (read && !world_.complete(name));
    });
  }

  // What a person may do to the engine, past the operator.
  void change_by_hand() {
    const auto one = any_index();
    const bool ours = world_.indices().contains(one);
    switch (below(8)) {
      case 0:
      case 1:
        return move_alias(one);
      case 2:
        moved_ = true;
        if (world_.aliases().contains("runs")) world_.narrow_alias("runs");
        return;
      case 3:
        if (ours) world_.set_by_hand(one, any_settings());
        return;
      case 4:
        if (ours) world_.add_field(one);
        return;
      case 5:
        if (ours && world_.indices().at(one).closed) return world_.open(one);
        if (ours) world_.close(one);
        return;
      case 6:
        if (ours && world_.indices().at(one).marked) world_.drop_write_alias(one);
        return;
      default:
        if (ours && noted(one) && world_.indices().at(one).writable) world_.drop_meta(one);
        return;
    }
  }

  void move_alias(const IndexName& one) {
    const IndexName foreign("runs-foreign");
    world_.add_foreign(foreign);
    const bool ours = world_.indices().contains(one);
    if (ours && !noted(one)) return;
    // Half deleted: only a person can put right what readers are led to then.
    if (ours && !world_.has_topic(world_.indices().at(one).recipe.document_log)) return;
    const std::vector<IndexName> choices[] = {{}, {foreign}, {one}, {one, foreign}};
    world_.point_alias("runs", choices[ours ? below(4) : below(2)]);
    moved_ = true;
  }

  IndexSettings any_settings() {
    return {.replicas = below(5),
            .refresh_interval = one_in(3) ? kNeverRefreshed : milliseconds(500 + below(3)),
            .gc_deletes = seconds(1 + below(2))};
  }

  // What nobody can put right who has forgotten what it was, or who has not closed it.
  void put_right() {
    for (const auto& [name, index] : world_.indices()) {
      world_.open(name);
      if (!index.marked && (name != declared_index() || !noted(name))) world_.put_meta_back(name);
    }
  }

  // Of a world at rest, and told to report only: nothing is written to what a person has changed.
  void hands_off() {
    const auto name = declared_index();
    for (int tick = 0; tick < 3; ++tick) step();
    const bool moves = one_in(2);
    if (moves) {
      const IndexName foreign("runs-foreign");
      world_.add_foreign(foreign);
      const std::vector<IndexName> choices[] = {{}, {foreign}, {name, foreign}};
      world_.point_alias("runs", choices[below(3)]);
      moved_ = true;
    }
    const auto settings = any_settings();
    world_.set_by_hand(name, settings);
    const auto& partitions = world_.indices().at(name).partitions;
    std::optional<IndexSettings> of_partition;
    if (!partitions.empty() && one_in(2)) {
      of_partition = IndexSettings{below(5), milliseconds(700), seconds(1)};
      world_.set_by_hand(name, partitions.rbegin()->first, *of_partition);
    }
    const auto newest = partitions.empty() ? model::Period() : partitions.rbegin()->first;
    if (one_in(3)) world_.add_field(name);
    const auto differs = world_.indices().at(name).differences;
    const auto alias = world_.aliases().contains("runs") ? world_.aliases().at("runs").to
                                                         : std::vector<IndexName>{};
    for (int tick = 0; tick < 6 && sound(); ++tick) {
      world_.pass(seconds(2));
      world_.work(50);
      expect_reported(step(), moves              ? "AliasChanged"
                              : !differs.empty() ? "MappingsChanged"
                                                 : "SettingsChanged");
      EXPECT_EQ(world_.indices().at(name).settings, settings);
      if (of_partition) {
        EXPECT_EQ(partitions.at(newest).settings, *of_partition);
      }
      const auto now = world_.aliases().find("runs");
      EXPECT_EQ(now == world_.aliases().end() ? std::vector<IndexName>{} : now->second.to, alias);
    }
    // A person puts the alias back, and declares something else: that is applied, and all with it.
    world_.point_alias("runs", {name});
    declared_.replicas = (declared_.replicas + 1) % 4;
    declare();
    for (int tick = 0; tick < 4; ++tick) step();
    EXPECT_EQ(world_.indices().at(name).settings.replicas, declared_.replicas);
    EXPECT_EQ(world_.indices().at(name).settings.gc_deletes, model::kGcDeletes);
    if (of_partition) {
      EXPECT_EQ(partitions.at(newest).settings.gc_deletes, model::kGcDeletes);
    }
  }

  static void expect_reported(const Plan& now, const std::string& reason) {
    ASSERT_EQ(now.indices.size(), 1u);
    const auto& drifted = now.indices[0].conditions.at(4);
    EXPECT_EQ(drifted.type, "Drifted");
    EXPECT_EQ(drifted.status, ConditionStatus::kTrue) << text(now);
    EXPECT_EQ(drifted.reason, reason) << text(now);
    for (const auto& one : now.steps) {
      EXPECT_FALSE(std::holds_alternative<SwapAlias>(one.action)) << text(now);
      EXPECT_FALSE(std::holds_alternative<UpdateSettings>(one.action)) << text(now);
      EXPECT_FALSE(std::holds_alternative<CreateIndex>(one.action)) << text(now);
      EXPECT_FALSE(std::holds_alternative<PutWriteAlias>(one.action)) << text(now);
    }
  }

  // Of what the resources bound.
  void check_workers(const Plan& now) {
    for (const auto& workload : now.workloads) {
      if (workload.role != Role::kWorker || !declared_.autoscaling) continue;
      EXPECT_GE(workload.replicas, 0) << text(now);
      EXPECT_LE(workload.replicas, 2) << text(now);
    }
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
    check_workers(now);
    return now;
  }

  // Once set, always on exactly one generation that is there, unless somebody else moves it.
  void check_alias(const Plan& now) {
    if (world_.indices().contains(world_.alias("runs"))) {
      served_ = true;
      moved_ = false;
      return;
    }
    EXPECT_TRUE(!served_ || moved_) << "the alias is gone\n" << text(now);
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
    EXPECT_EQ(status.alias, declared_index());
    const auto& index = world_.indices().at(status.desired);
    for (const auto& condition : status.conditions) {
      const bool differs = condition.type == "Drifted" && !index.differences.empty();
      const bool good = condition.type == "Ready" || condition.type == "Available" || differs;
      EXPECT_EQ(condition.status, good ? ConditionStatus::kTrue : ConditionStatus::kFalse)
          << condition.type << ": " << condition.message;
    }
    EXPECT_EQ(status.alias, world_.alias("runs"));
    check_partitions(index);
    EXPECT_EQ(index.settings, (IndexSettings{declared_.replicas, seconds(1), model::kGcDeletes}));
    world_.quiet();
    for (int i = 0; i < 10 && !world_.settled(status.desired); ++i) world_.work(1'000);
    EXPECT_TRUE(world_.settled(status.desired)) << "a record was never answered";
    // Capture, worker, query, and what takes events and counts them.
    const bool counts = declared_.counts > 0;
    const bool http = declared_.events || (counts && declared_.counts_http);
    EXPECT_EQ(world_.workloads().size(), 3u + (http ? 1 : 0) + (counts ? 1 : 0));
    EXPECT_TRUE(!declared_.events || world_.has_topic(kEventTopic));
  }

  // Those of now and ahead are there, none is too old, all are read.
  void check_partitions(const FakeWorld::Index& index) {
    EXPECT_TRUE(world_.strays().empty());
    const auto& spec = index.recipe.index.spec.partitioning;
    ASSERT_EQ(spec.has_value(), declared_.hours > 0);
    if (!spec) {
      EXPECT_TRUE(index.partitions.empty());
      return;
    }
    EXPECT_LE(spec->retain, std::chrono::hours(declared_.hours));
    const auto now = world_.now().time_since_epoch().count();
    const auto kept =
        model::window_at(spec->every, spec->retain + model::kDropAfter, spec->ahead, now);
    for (int32_t at = model::period_of(spec->every, now).get(); at <= kept.newest.get(); ++at) {
      EXPECT_TRUE(index.partitions.contains(model::Period(at))) << at;
    }
    for (const auto& [period, one] : index.partitions) {
      EXPECT_GE(period, kept.oldest);
      EXPECT_TRUE(one.shown) << model::period_name(spec->every, period);
      EXPECT_EQ(one.settings, index.settings);
      const auto& declared = index.recipe.index.spec.mappings.text;
      EXPECT_TRUE(elastic::new_fields(one.mappings, declared).missing.empty());
    }
  }

  std::mt19937_64 random_;
  FakeWorld world_;
  Declared declared_;
  bool disturbed_ = true;
  bool served_ = false;
  bool moved_ = false;  // by somebody else
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
