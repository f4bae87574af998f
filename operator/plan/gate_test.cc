#include "operator/plan/gate.h"

#include <gtest/gtest.h>

#include "lib/model/fold_rounds.h"
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

}  // namespace
}  // namespace searchsync::plan
