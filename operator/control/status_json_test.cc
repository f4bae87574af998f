#include "operator/control/status_json.h"

#include <gtest/gtest.h>

namespace searchsync::control {
namespace {

TEST(StatusJson, WhatIsServedCanBeReadAndShown) {
  plan::Observed observed;
  plan::ObservedWorkload worker{.name = "worker-a", .owner = "default/a", .hash = "h"};
  worker.processes.push_back({.name = "worker-a",
                              .pid = 17,
                              .address = "127.0.0.1:4000",
                              .state = plan::ProcessState::kReady});
  worker.halts["bug"] = "too many";
  worker.snapshot_complete["public.bugs"] = true;
  observed.workloads = {worker};
  plan::Plan plan;
  plan::IndexStatus index;
  index.index = "default/a";
  index.phase = plan::Phase::kServing;
  index.alias = IndexName("a-12345678");
  index.generation = Generation(2);
  index.lag_records = 5;
  index.conditions = {{"Ready", plan::ConditionStatus::kTrue, "Serving", ""}};
  plan.indices = {index};
  plan.bindings = {{.name = "bug", .index = "default/a", .lag_records = {}, .state = "Halted"}};
  const auto json = status_to_json(observed, plan, {{.file = "a.yaml", .message = "wrong"}});

  const auto workloads = workloads_from_status(json);
  ASSERT_TRUE(workloads) << workloads.error().message;
  ASSERT_EQ(workloads->size(), 1u);
  EXPECT_EQ(workloads->front().hash, "h");
  EXPECT_EQ(workloads->front().halts, worker.halts);
  EXPECT_EQ(workloads->front().snapshot_complete, worker.snapshot_complete);
  EXPECT_EQ(workloads->front().role, plan::Role::kWorker);
  ASSERT_EQ(workloads->front().processes.size(), 1u);
  EXPECT_EQ(workloads->front().processes[0].address, "127.0.0.1:4000");
  EXPECT_TRUE(workloads->front().ready());

  const auto text = render_status(json);
  ASSERT_TRUE(text) << text.error().message;
  for (const auto* part : {"Serving", "a-12345678", "Halted", "17", "Ready", "a.yaml: wrong"}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
  }
  for (const auto* wrong : {"", "[]", "{}", "{\"indices\":1}"}) {
    EXPECT_FALSE(render_status(wrong)) << wrong;
    EXPECT_FALSE(workloads_from_status(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace searchsync::control
