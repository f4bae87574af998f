#include "operator/cluster/resource_status.h"

#include <gtest/gtest.h>

namespace searchsync::cluster {
namespace {

plan::ObservedWorkload workers(std::string name, int32_t replicas, int ready) {
  plan::ObservedWorkload workload{.name = std::move(name),
                                  .role = plan::Role::kWorker,
                                  .owner = "qa/letters",
                                  .hash = "h",
                                  .replicas = replicas};
  for (int i = 0; i < replicas; ++i) {
    workload.processes.push_back(
        {.name = "pod",
         .state = i < ready ? plan::ProcessState::kReady : plan::ProcessState::kStarting});
  }
  return workload;
}

TEST(ResourceStatus, WorkersAreThoseOfTheIndexThatIsServed) {
  plan::IndexStatus status;
  status.index = "qa/letters";
  const std::vector<plan::ObservedWorkload> all = {workers("worker-qa.letters-1-g1", 3, 3),
                                                   workers("worker-qa.letters-2-g2", 2, 1)};
  const auto shown = [&] { return to_status(status, all, {}, 1, {}).workers; };
  EXPECT_EQ(shown().replicas, 3);
  EXPECT_EQ(shown().ready, 3);
  status.alias = IndexName("letters-2");
  status.generation = Generation(2);
  EXPECT_EQ(shown().replicas, 2);
  EXPECT_EQ(shown().ready, 1);
}

// Another autoscaler would count the pods of what is kept warm, and divide by them.
TEST(ResourceStatus, TheSelectorIsOfTheWorkersThatAreCounted) {
  plan::IndexStatus status;
  status.index = "qa/letters";
  std::vector<plan::ObservedWorkload> all;
  const auto selector = [&] { return to_status(status, all, {}, 1, {}).workers.selector; };
  EXPECT_EQ(selector(), "searchsync.io/index=letters,searchsync.io/role=worker");
  all = {workers("worker-qa.letters-1-g1", 3, 3), workers("worker-qa.letters-2-g2", 2, 1)};
  EXPECT_EQ(selector(), "searchsync.io/workload=worker-letters-1-g1");
  status.alias = IndexName("letters-2");
  status.generation = Generation(2);
  EXPECT_EQ(selector(), "searchsync.io/workload=worker-letters-2-g2");
}

}  // namespace
}  // namespace searchsync::cluster
