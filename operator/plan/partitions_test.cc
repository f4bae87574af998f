#include "operator/plan/partitions.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/planned_world.h"

namespace searchsync::plan {
namespace {

using model::Period;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const Declared kHours{.hours = 3};  // ahead: 2 hours

// An index with partitions of an hour, at 22:13.
class PartitionsTest : public PlannedWorld {
 protected:
  PartitionsTest() {
    declare(kHours);
    settle();
  }

  Period hour(int ahead) const {
    return Period(
        model::period_of(model::Every::kHour, world_.now().time_since_epoch().count()).get() +
        ahead);
  }
  const std::map<Period, FakeWorld::Partition>& partitions() const {
    return world_.indices().at(name(kHours)).partitions;
  }
  bool all_read() const {
    return std::ranges::all_of(partitions(), [](const auto& one) { return one.second.shown; });
  }
};

TEST_F(PartitionsTest, AreThereBeforeTheirTimeAndRead) {
  const auto status = settle(1);
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_EQ(status.partitions, std::ssize(partitions()));
  EXPECT_EQ(partitions().rbegin()->first, hour(3)) << "one more than may be written to";
  for (int ahead = 0; ahead <= 3; ++ahead) EXPECT_TRUE(partitions().contains(hour(ahead))) << ahead;
  const IndexSettings wanted{1, seconds(1), model::kGcDeletes};
  for (const auto& [_, one] : partitions()) EXPECT_EQ(one.settings, wanted);
  EXPECT_TRUE(all_read());
  done();
  world_.pass(minutes(60));
  settle(3);
  EXPECT_EQ(partitions().rbegin()->first, hour(3));
  EXPECT_TRUE(all_read());
  EXPECT_THAT(done(), HasSubstr("create partitions 2023-11-15t02 of index " + name(kHours).get()));
}

TEST_F(PartitionsTest, AreDroppedWholeAWhileAfterTheirRetention) {
  settle();
  ASSERT_TRUE(partitions().contains(hour(-3))) << "a worker has made it";
  const auto oldest = hour(-3);
  world_.pass(minutes(50));  // 23:06, less than ten minutes after its end and retention
  settle(3);
  EXPECT_TRUE(partitions().contains(oldest));
  EXPECT_THAT(done(), Not(HasSubstr("drop")));
  world_.pass(minutes(5));
  settle(3);
  EXPECT_FALSE(partitions().contains(oldest));
  EXPECT_THAT(done(),
              HasSubstr(fmt::format("drop partition {}-2023-11-14t19", name(kHours).get())));
}

TEST_F(PartitionsTest, AShorterRetentionIsWrittenDownFirstAndStays) {
  settle();
  done();
  declare({.hours = 1});
  settle(3);
  const auto text = done();
  EXPECT_LT(text.find("write _meta"), text.find("drop 2 partitions")) << text;
  EXPECT_FALSE(partitions().contains(hour(-2)));
  EXPECT_TRUE(partitions().contains(hour(-1)));
  declare({.hours = 6});
  const auto status = settle(5);
  EXPECT_EQ(world_.indices().at(name(kHours)).recipe.index.spec.partitioning->retain,
            std::chrono::hours(1));
  EXPECT_EQ(status.phase, Phase::kServing);
  EXPECT_THAT(status.message, HasSubstr("keeps partitions for 1 hours, not 6"));
  EXPECT_FALSE(partitions().contains(hour(-2))) << "no worker makes it anew";
}

TEST_F(PartitionsTest, GoWithTheirIndex) {
  const auto former = name(kHours);
  const Declared next{.shape = 1, .hours = 3};
  declare(next);
  settle(80);
  EXPECT_EQ(world_.alias("runs"), name(next));
  EXPECT_FALSE(world_.indices().contains(former));
  EXPECT_THAT(world_.strays(), IsEmpty());
  declare({});
  EXPECT_EQ(settle(80).partitions, std::nullopt);
  EXPECT_EQ(world_.alias("runs"), name({}));
  EXPECT_THAT(world_.strays(), IsEmpty());
  declare(kHours);
  EXPECT_EQ(settle(80).phase, Phase::kServing);
  EXPECT_TRUE(all_read());
}

// By whatever accident: what is left of it must not be taken for the new one's.
TEST_F(PartitionsTest, OfAnIndexThatIsGoneAreDroppedBeforeItIsMadeAgain) {
  world_.remove_index(name(kHours));
  ASSERT_FALSE(world_.strays().empty());
  done();
  tick();
  EXPECT_THAT(world_.strays(), IsEmpty());
  const auto text = done();
  EXPECT_LT(text.find("drop "), text.find("create index")) << text;
  EXPECT_EQ(settle().phase, Phase::kServing);
}

TEST_F(PartitionsTest, DeletionTakesThemAll) {
  declare({.hours = 3, .deletion_policy = model::DeletionPolicy::kDelete});
  tick();
  world_.declare({});
  tick();
  EXPECT_THAT(world_.indices(), IsEmpty());
  EXPECT_THAT(world_.strays(), IsEmpty());
}

TEST_F(PartitionsTest, SettingsOfOthersAreDrift) {
  const IndexSettings theirs{4, seconds(9), model::kGcDeletes};
  world_.set_by_hand(name(kHours), hour(0), theirs);
  declare({.hours = 3, .drift = model::Drift::kReport});
  const auto status = settle(3);
  EXPECT_EQ(partitions().at(hour(0)).settings, theirs);
  EXPECT_THAT(status.message,
              HasSubstr(fmt::format("index {}-2023-11-14t22 has 4 replicas", name(kHours).get())));
  declare(kHours);
  settle(3);
  EXPECT_NE(partitions().at(hour(0)).settings, theirs);
}

TEST_F(PartitionsTest, WorkersRunWithTheShorterRetention) {
  const auto retain = [&] {
    for (const auto& [name, workload] : world_.workloads()) {
      if (workload.role != Role::kWorker) continue;
      return model::parse_pipeline_config(workload.config)->index.spec.partitioning->retain;
    }
    return seconds(0);
  };
  EXPECT_EQ(retain(), std::chrono::hours(3));
  declare({.hours = 6});
  settle(3);
  EXPECT_EQ(retain(), std::chrono::hours(3));
  declare({.hours = 2});
  settle(3);
  EXPECT_EQ(retain(), std::chrono::hours(2));
}

}  // namespace
}  // namespace searchsync::plan
