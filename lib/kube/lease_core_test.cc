#include "lib/kube/lease_core.h"

#include <gtest/gtest.h>

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LeaseCoreTest : public testing::Test {
 protected:
  LeaseRecord record(const char* holder, const char* version) const {
    return {.holder = holder, .duration = seconds(6), .version = version};
  }
  bool looks() const { return std::holds_alternative<LeaseCore::Look>(core_.next(now_)); }
  std::string takes() const {
    const auto todo = core_.next(now_);
    const auto* take = std::get_if<LeaseCore::Take>(&todo);
    return take == nullptr ? "no" : "at " + take->version;
  }

  LeaseCore core_{"me", {}};
  LeaseCore::Time now_{seconds(1'000)};
};

TEST_F(LeaseCoreTest, TakesWhatNobodyHolds) {
  EXPECT_TRUE(looks());
  core_.on_seen(record("", "5"), now_);
  EXPECT_EQ(takes(), "at 5");
  core_.on_taken(record("me", "6"), now_, now_ + seconds(1));
  EXPECT_TRUE(core_.leads(now_ + milliseconds(3'999)));
  EXPECT_FALSE(core_.leads(now_ + seconds(4)));  // from when it asked
  EXPECT_EQ(takes(), "no");
  now_ += seconds(1);
  EXPECT_EQ(takes(), "at 6");
}

TEST_F(LeaseCoreTest, LeadsWhatItCreatedOnlyWhenNoFormerLeaderCan) {
  core_.on_seen(std::nullopt, now_);
  EXPECT_EQ(takes(), "at ");
  core_.on_taken(record("me", "1"), now_, now_);
  EXPECT_FALSE(core_.leads(now_));
  EXPECT_FALSE(core_.release(now_));
  core_.on_taken(record("me", "2"), now_ + seconds(5), now_ + seconds(5));
  EXPECT_FALSE(core_.leads(now_ + milliseconds(5'999)));
  EXPECT_TRUE(core_.leads(now_ + seconds(6)));
}

TEST_F(LeaseCoreTest, TakesWhatHasNotChangedForLong) {
  core_.on_seen(record("other", "5"), now_);
  const auto seen = now_;
  for (; now_ < seen + seconds(6); now_ += milliseconds(500)) {
    EXPECT_EQ(takes(), "no");
    core_.on_seen(record("other", "5"), now_);
  }
  EXPECT_EQ(takes(), "at 5");
  core_.on_conflict(now_);  // it was renewed just now
  now_ += milliseconds(500);
  EXPECT_TRUE(looks());
  core_.on_seen(record("other", "6"), now_);
  now_ += seconds(1);
  EXPECT_TRUE(looks());
}

TEST_F(LeaseCoreTest, WaitsAsLongAsTheHolderAsks) {
  LeaseRecord long_lease = record("other", "5");
  long_lease.duration = seconds(20);
  core_.on_seen(long_lease, now_);
  now_ += seconds(19);
  EXPECT_TRUE(looks());
  now_ += seconds(1);
  EXPECT_EQ(takes(), "at 5");
}

TEST_F(LeaseCoreTest, AFailureDoesNotLengthenItsTime) {
  core_.on_seen(record("", "5"), now_);
  core_.on_taken(record("me", "6"), now_, now_);
  const auto asked = now_;
  now_ += seconds(3);
  core_.on_failed(now_);
  EXPECT_EQ(core_.leads_until(), asked + seconds(4));
  now_ += milliseconds(500);
  EXPECT_TRUE(looks());
  core_.on_seen(record("me", "7"), now_);  // it was written all the same
  EXPECT_EQ(core_.leads_until(), asked + seconds(4));
  EXPECT_EQ(takes(), "at 7");
  core_.on_seen(record("other", "8"), now_);
  EXPECT_FALSE(core_.leads(now_));
}

TEST_F(LeaseCoreTest, GivesBackOnlyWhatIsIts) {
  EXPECT_FALSE(core_.release(now_));
  core_.on_seen(record("other", "5"), now_);
  EXPECT_FALSE(core_.release(now_));
  core_.on_seen(record("", "6"), now_);
  core_.on_taken(record("me", "7"), now_, now_);
  EXPECT_EQ(core_.release(now_), "7");
  EXPECT_FALSE(core_.leads(now_));
}

}  // namespace
}  // namespace searchsync::kube
