#include "operator/control/reconciler.h"

#include <gtest/gtest.h>

#include "operator/plan/fake_world.h"
#include "operator/plan/test_resources.h"

namespace searchsync::control {
namespace {

// The planner's fake, through the interface that the real ones have.
class TestWorld final : public World {
 public:
  TestWorld() {
    for (const auto* table : plan::kTables) fake.add_source(table, 3);
    fake.declare(plan::resources({}));
  }
  plan::Observed observe() override { return fake.observe(); }
  Result<void> execute(const plan::Step& step) override {
    done.push_back(plan::describe(step.action));
    if (!refuse.empty() && done.back().starts_with(refuse)) {
      return fail(ErrorCode::kInvalidArgument, "no such analyzer");
    }
    fake.execute(step);
    return {};
  }

  plan::FakeWorld fake{1};
  std::string refuse;
  std::vector<std::string> done;
};

TEST(Reconciler, ConvergesAndThenDoesNothing) {
  TestWorld world;
  Reconciler reconciler(world, {});
  for (int i = 0; i < 40; ++i) {
    world.fake.pass(std::chrono::seconds(2));
    world.fake.work(200);
    EXPECT_TRUE(reconciler.run(world.fake.now()).failures.empty());
  }
  const auto round = reconciler.run(world.fake.now());
  EXPECT_TRUE(round.plan.steps.empty());
  EXPECT_EQ(round.plan.indices.at(0).phase, plan::Phase::kServing);
  EXPECT_EQ(world.fake.broken_invariant(), "");
}

TEST(Reconciler, AFailedStepStopsItsOwnersAndShows) {
  TestWorld world;
  world.refuse = "create index";
  Reconciler reconciler(world, {});
  auto round = reconciler.run(world.fake.now());
  ASSERT_TRUE(round.failures.contains("default/test-runs"));
  EXPECT_TRUE(world.done.back().starts_with("create index"));
  round = reconciler.run(world.fake.now());
  EXPECT_EQ(round.plan.indices.at(0).phase, plan::Phase::kStalled);
  EXPECT_NE(round.plan.indices.at(0).message.find("no such analyzer"), std::string::npos);
  world.refuse.clear();
  reconciler.run(world.fake.now());
  round = reconciler.run(world.fake.now());
  EXPECT_NE(round.plan.indices.at(0).phase, plan::Phase::kStalled);
}

}  // namespace
}  // namespace searchsync::control
