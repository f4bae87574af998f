#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "lib/model/pipeline.h"
#include "operator/plan/actions.h"
#include "operator/plan/fake_world.h"
#include "operator/plan/plan.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {

// A world in which each plan is carried out, and that breaks no invariant.
class PlannedWorld : public testing::Test {
 protected:
  PlannedWorld() : world_(7) {
    for (const auto* table : kTables) world_.add_source(table, 5);
  }

  void declare(const Declared& declared) { world_.declare(resources(declared)); }

  Plan tick() {
    world_.pass(std::chrono::seconds(2));
    world_.work(200);
    const Plan now = plan(world_.observe(), {}, world_.now());
    for (const auto& step : now.steps) {
      if (changes_world(step.action)) done_.push_back(describe(step.action));
      world_.execute(step);
    }
    EXPECT_EQ(world_.broken_invariant(), "");
    return now;
  }

  IndexStatus settle(int ticks = 40) {
    Plan last;
    for (int i = 0; i < ticks; ++i) last = tick();
    return last.indices.at(0);
  }

  // What was done since it was asked last.
  std::string done() {
    std::string all;
    for (const auto& one : done_) all += one + "\n";
    done_.clear();
    return all;
  }

  static IndexName name(const Declared& declared) {
    const auto all = resources(declared);
    return model::generation_index_name(all.indices[0], all.bindings);
  }

  FakeWorld world_;
  std::vector<std::string> done_;
};

}  // namespace searchsync::plan
