#include "capture/core/ack_tracker.h"

#include <gtest/gtest.h>

namespace searchsync::capture {
namespace {

using postgres::Lsn;

// A transaction with one record on table 0.
void add(AckTracker& tracker, uint32_t xid, uint64_t end) {
  tracker.begin(xid);
  tracker.current().floors.push_back({0, end});
  tracker.sent();
  tracker.commit(Lsn(end));
}

std::vector<uint64_t> popped(AckTracker& tracker) {
  std::vector<uint64_t> ends;
  tracker.pop_done([&](const AckTracker::Transaction& t) { ends.push_back(t.end.get()); });
  return ends;
}

TEST(AckTracker, DoneMeansAcknowledgedAndVisible) {
  AckTracker tracker;
  add(tracker, 5, 100);
  tracker.acknowledged(1);
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>());
  EXPECT_TRUE(tracker.waits_for_visibility());
  tracker.seen_by(XidSnapshot(5, 6, {5}));
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>());
  tracker.seen_by(XidSnapshot(6, 6, {}));
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>({100}));
  EXPECT_TRUE(tracker.empty());
}

TEST(AckTracker, AcknowledgedIsLessThanDone) {
  AckTracker tracker;
  EXPECT_TRUE(tracker.all_acknowledged());
  EXPECT_EQ(tracker.acknowledged_end(), std::nullopt);
  add(tracker, 5, 100);
  add(tracker, 6, 200);
  tracker.acknowledged(2);
  EXPECT_EQ(tracker.acknowledged_end(), std::nullopt);
  tracker.acknowledged(1);
  EXPECT_EQ(tracker.acknowledged_end(), Lsn(200));  // nobody has seen them yet
  tracker.begin(7);
  EXPECT_FALSE(tracker.all_acknowledged());
  EXPECT_EQ(tracker.acknowledged_end(), Lsn(200));
  tracker.commit(Lsn(300));
  EXPECT_TRUE(tracker.all_acknowledged());
  EXPECT_EQ(tracker.acknowledged_end(), Lsn(300));
  tracker.seen_by(XidSnapshot(6, 6, {}));
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>({100}));
  EXPECT_EQ(tracker.acknowledged_end(), Lsn(300));
  tracker.seen_by(XidSnapshot(8, 8, {}));
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>({200, 300}));
  EXPECT_EQ(tracker.acknowledged_end(), std::nullopt);
  EXPECT_TRUE(tracker.all_acknowledged());
}

TEST(AckTracker, TheOldestHoldsBackTheRest) {
  AckTracker tracker;
  add(tracker, 5, 100);
  add(tracker, 6, 200);
  tracker.seen_by(XidSnapshot(9, 9, {}));
  tracker.acknowledged(2);
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>());
  tracker.acknowledged(1);
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>({100, 200}));
  add(tracker, 7, 300);
  EXPECT_EQ(tracker.newest(), 3u);
}

TEST(AckTracker, OneThatTouchedNothingHidesNothing) {
  AckTracker tracker;
  tracker.begin(5);
  EXPECT_EQ(tracker.maybe_hidden(0), std::vector<uint32_t>({5}));
  tracker.commit(Lsn(100));
  EXPECT_EQ(tracker.maybe_hidden(0), std::vector<uint32_t>());
  EXPECT_EQ(popped(tracker), std::vector<uint64_t>({100}));
}

TEST(AckTracker, NamesThoseThatMayBeHidden) {
  AckTracker tracker;
  add(tracker, 5, 100);
  add(tracker, 6, 200);
  EXPECT_EQ(tracker.maybe_hidden(0), std::vector<uint32_t>({5, 6}));
  EXPECT_EQ(tracker.maybe_hidden(1), std::vector<uint32_t>());
  tracker.seen_by(XidSnapshot(6, 7, {6}));
  EXPECT_EQ(tracker.maybe_hidden(0), std::vector<uint32_t>({6}));
}

}  // namespace
}  // namespace searchsync::capture
