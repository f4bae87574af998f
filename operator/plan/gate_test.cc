#include "operator/plan/gate.h"

#include <gtest/gtest.h>

#include "lib/model/fold_rounds.h"
#include "lib/model/pipeline.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

Offsets offsets(std::initializer_list<int64_t> values) {
  Offsets result;
  for (const auto value : values) result.push_back(Offset(value));
  return result;
}

TEST(Gate, LagCountsWhatIsNotCommitted) {
  const Committed committed = {Offset(3), std::nullopt, Offset(9)};
  struct Case {
    Committed committed;
    Offsets begin;
    Offsets end;
    int64_t lag;
    bool reached;
  };
  const Case cases[] = {
      {{}, offsets({0}), offsets({0}), 0, true},
      {{}, offsets({0}), offsets({4}), 4, false},
      {{}, offsets({4}), offsets({4}), 0, true},  // all of it has been deleted
      {{}, offsets({3}), offsets({4}), 1, false},
      {committed, offsets({0, 0, 0}), offsets({3, 0, 9}), 0, true},
      {committed, offsets({0, 0, 0}), offsets({5, 1, 9}), 3, false},
      {committed, offsets({0, 0, 0}), offsets({1, 0, 1}), 0, true},
      {{Offset(1)}, offsets({0, 0}), offsets({1, 2}), 2, false},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(lag_records(one.committed, one.begin, one.end), one.lag);
    EXPECT_EQ(reached(one.committed, one.begin, one.end), one.reached);
  }
}

TEST(Gate, RoundsFollowTheDepthOfTheRelations) {
  auto all = resources({});
  EXPECT_EQ(model::fold_rounds(all.bindings), 5);  // row, subscribe, lookup, subscribe, lookup
  all = resources({.topology = 1});
  EXPECT_EQ(model::fold_rounds(all.bindings), 5);
  std::get<model::LookupRelation>(all.bindings[0].spec.relation).of = "bug";
  EXPECT_EQ(model::fold_rounds(all.bindings), 6);  // row, child, then as before
  all.bindings[3].spec.relation = model::LinkRelation{};
  EXPECT_EQ(model::fold_rounds(all.bindings), 6);
  all.bindings.erase(all.bindings.begin(), all.bindings.begin() + 1);
  EXPECT_EQ(model::fold_rounds({&all.bindings[2], 1}), 4);  // row, child, subscribe, the far root
  EXPECT_EQ(model::fold_rounds({&all.bindings[0], 1}), 1);
}

// A generation whose documents are written, and that has only to catch up.
struct CatchingUp {
  model::Resources declared = resources({});
  Observed observed;
  ObservedIndex seen;
  ObservedGeneration built{
      .index = IndexName("runs-b"), .generation = Generation(2), .document_log = "log"};
  ObservedGeneration served{
      .index = IndexName("runs-a"), .generation = Generation(1), .document_log = "log"};
  GenerationNote note{.generation = Generation(2),
                      .gate = GateNote{.round = 100, .begin = offsets({0})}};
  TimePoint now{};

  CatchingUp() {
    auto& cutover = declared.indices[0].spec.reindex.cutover;
    cutover = {.max_lag_records = 100, .stable_for = std::chrono::seconds(30)};
    seen.topics["log"] = {.begin = offsets({0}), .end = offsets({10'000})};
  }

  // Behind by so many records, for so long: whether it is complete.
  bool complete(int64_t lag, int seconds, const ObservedGeneration* incumbent) {
    now += std::chrono::seconds(seconds);
    commit(built, lag);
    auto outcome = advance_gate({.index = declared.indices[0],
                                 .bindings = declared.bindings,
                                 .observed = observed,
                                 .seen = seen,
                                 .generation = built,
                                 .incumbent = incumbent,
                                 .now = now},
                                note);
    note = std::move(outcome.note);
    return note.complete;
  }

  void commit(const ObservedGeneration& generation, int64_t lag) {
    seen.groups[model::fold_group(declared.indices[0], generation.index)][generation.document_log] =
        {Offset(10'000 - lag)};
  }
};

TEST(Gate, TheFirstIndexServesOnceItHasCaughtUp) {
  CatchingUp world;
  EXPECT_FALSE(world.complete(101, 0, nullptr));
  EXPECT_TRUE(world.complete(100, 1, nullptr));
}

TEST(Gate, OneThatTakesOverStaysCaughtUpBefore) {
  CatchingUp world;
  world.commit(world.served, 0);
  EXPECT_FALSE(world.complete(100, 0, &world.served));
  EXPECT_FALSE(world.complete(101, 20, &world.served));
  EXPECT_FALSE(world.complete(100, 20, &world.served));
  EXPECT_FALSE(world.complete(100, 29, &world.served));
  EXPECT_TRUE(world.complete(100, 1, &world.served));
}

}  // namespace
}  // namespace searchsync::plan
