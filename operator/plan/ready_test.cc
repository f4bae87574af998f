// When an index is Ready, and what its message says.

#include <gtest/gtest.h>

#include <algorithm>

#include "operator/plan/fake_world.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

using std::chrono::seconds;

class ReadyTest : public testing::Test {
 protected:
  ReadyTest() : world_(7) {
    for (const auto* table : kTables) world_.add_source(table, 5);
    world_.declare(resources({}));
  }

  IndexStatus settle() {
    Plan last;
    for (int i = 0; i < 60; ++i) {
      world_.pass(seconds(2));
      world_.work(200);
      last = plan(world_.observe(), {}, world_.now());
      for (const auto& step : last.steps) world_.execute(step);
    }
    return last.indices.at(0);
  }

  FakeWorld world_;
};

TEST_F(ReadyTest, ReadyNeedsAllThatKeepsItEqualAndAnswersAsDeclared) {
  settle();
  const auto all = world_.observe();
  ASSERT_FALSE(all.resources.indices.empty());
  const auto ready = [&](const Observed& observed) {
    const auto status = plan(observed, {}, world_.now()).indices.at(0);
    return *std::ranges::find(status.conditions, "Ready", &Condition::type);
  };
  const auto with = [&](Role role, ObservedProcess process) {
    auto observed = all;
    for (auto& workload : observed.workloads) {
      if (workload.role == role) workload.processes.push_back(process);
    }
    return observed;
  };
  EXPECT_EQ(ready(all).reason, "Serving");

  const auto dead = with(Role::kCapture, {.name = "capture-0",
                                          .state = ProcessState::kBackoff,
                                          .message = "password authentication failed"});
  EXPECT_EQ(ready(dead).status, ConditionStatus::kFalse);
  EXPECT_EQ(ready(dead).reason, "CaptureNotReady");
  EXPECT_EQ(ready(dead).message, "capture-0 is Backoff: password authentication failed");
  for (const auto& binding : plan(dead, {}, world_.now()).bindings) {
    EXPECT_EQ(binding.state, "Waiting") << binding.name;
    EXPECT_EQ(binding.message, ready(dead).message);
  }

  // Those that are to replace the others; these answer as it was declared before.
  const auto replaced = with(Role::kQuery, {.name = "query-1"});
  EXPECT_EQ(ready(replaced).reason, "QueryNotReady");
  EXPECT_EQ(ready(replaced).message, "query-1 is Starting");

  auto keyless = all;
  keyless.resources.indices[0].spec.query.keys_secret_ref = model::SecretRef{"keys"};
  keyless.secret_hashes["keys"] = "";  // of a secret that does not exist
  EXPECT_EQ(ready(keyless).reason, "QueryNotReady");
  EXPECT_EQ(ready(keyless).message, "there is no secret default/keys");
}

TEST_F(ReadyTest, ARelationThatLeadsNowhereIsSaid) {
  auto declared = resources({});
  auto& relations = declared.indices[0].spec.query.relations;
  const auto message = [&] {
    world_.declare(declared);
    const auto status = settle();
    const auto ready = std::ranges::find(status.conditions, "Ready", &Condition::type);
    EXPECT_EQ(ready->status, ConditionStatus::kTrue);
    return ready->message;
  };
  relations = {{"self", declared.indices[0].metadata.name, "id", "id"}};
  EXPECT_TRUE(message().ends_with("kept equal"));
  relations.push_back({"team", "teams", "id", "id"});
  relations.push_back({"user", "users", "id", "id"});
  EXPECT_NE(message().find("; relation team, and 1 more, leads nowhere: there is no SearchIndex "
                           "teams in the namespace"),
            std::string::npos)
      << message();
}

}  // namespace
}  // namespace searchsync::plan
