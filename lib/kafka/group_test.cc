#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "lib/kafka/consumer.h"
#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A member of a group that remembers all it was told and given.
class Member : public GroupListener {
 public:
  Member(const ClientConfig& config, const std::string& group, const std::string& topic,
         Consumer::Options options = {}) {
    auto made = Consumer::join(config, group, options, *this);
    EXPECT_TRUE(made) << made.error().message;
    consumer = std::move(*made);
    EXPECT_TRUE(consumer->subscribe({topic}));
  }

  std::vector<StartOffset> on_assigned(std::span<const TopicPartition> partitions) override {
    std::vector<StartOffset> starts;
    for (const auto& each : partitions) {
      EXPECT_TRUE(owned.insert(each.partition.get()).second);
      last.erase(each.partition.get());
      const auto found = start_at.find(each.partition.get());
      starts.push_back(found == start_at.end() ? StartOffset::committed() : found->second);
    }
    return starts;
  }

  void on_revoked(std::span<const TopicPartition> partitions) override {
    for (const auto& each : partitions) {
      const int partition = each.partition.get();
      if (commit_on_revoke && last.contains(partition)) {
        const TopicOffset done{each.topic, each.partition, Offset(last[partition] + 1)};
        const auto committed = consumer->commit(std::span(&done, 1), CommitMode::kSync);
        // A broker may already be past the point where it takes this: then it is read again.
        EXPECT_TRUE(committed || committed.error().code == ErrorCode::kFenced)
            << committed.error().message;
      }
      EXPECT_EQ(owned.erase(partition), 1u);
    }
    ++revocations;
  }

  void on_lost(std::span<const TopicPartition> partitions) override {
    for (const auto& each : partitions) EXPECT_EQ(owned.erase(each.partition.get()), 1u);
    lost += partitions.size();
  }

  void on_records_lost(const TopicPartition& partition, const Error& error) override {
    EXPECT_EQ(owned.erase(partition.partition.get()), 1u);
    loss = error.message;
  }

  void on_commit_failed(const Error& error) override {
    EXPECT_EQ(error.code, ErrorCode::kFenced) << error.message;
  }

  void poll(milliseconds timeout = milliseconds(20), size_t events_max = 10) {
    const auto batch = consumer->poll(timeout, events_max);
    ASSERT_TRUE(batch) << batch.error().message;
    for (const auto& event : *batch) {
      const auto* const message = std::get_if<Message>(&event);
      if (!message) continue;
      const int partition = message->partition.get();
      EXPECT_TRUE(owned.contains(partition)) << "delivered after it was revoked";
      const auto before = last.find(partition);
      if (before != last.end()) {
        EXPECT_GT(message->offset.get(), before->second);
      }
      last[partition] = message->offset.get();
      seen.insert({partition, message->offset.get()});
    }
  }

  std::map<int, StartOffset> start_at;
  bool commit_on_revoke = true;
  std::set<int> owned;
  std::map<int, int64_t> last;  // by partition owned: the newest offset delivered
  std::set<std::pair<int, int64_t>> seen;
  int revocations = 0;
  size_t lost = 0;
  std::string loss;
  std::unique_ptr<Consumer> consumer;
};

class GroupContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  void fill(const std::string& topic, int partitions, int count) {
    TestProducer producer(cluster_.config());
    for (int i = 0; i < partitions; ++i) producer.send_numbers(topic, i, count);
  }

  std::unique_ptr<Member> join_group(const std::string& topic) {
    return std::make_unique<Member>(cluster_.config(), group_, topic, cluster_.member_options());
  }

  TestCluster cluster_{GetParam()};
  const std::string group_ = cluster_.unique_name("group");
};

INSTANTIATE_TEST_SUITE_P(Clusters, GroupContract, ::testing::ValuesIn(cluster_kinds()), kind_name);

TEST_P(GroupContract, CommitIsWhereTheNextMemberGoesOn) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 10);
  const TopicPartition partition{topic, Partition(0)};
  {
    Member member(cluster_.config(), group_, topic, cluster_.member_options());
    member.commit_on_revoke = false;
    ASSERT_TRUE(until([&] {
      member.poll();
      return member.seen.size() == 10;
    }));
    const auto before = member.consumer->committed(std::span(&partition, 1), seconds(10));
    ASSERT_TRUE(before) << before.error().message;
    EXPECT_EQ((*before)[0], std::nullopt);
    const TopicOffset done{topic, Partition(0), Offset(4)};
    const auto committed = member.consumer->commit(std::span(&done, 1), CommitMode::kSync);
    ASSERT_TRUE(committed) << committed.error().message;
    const auto after = member.consumer->committed(std::span(&partition, 1), seconds(10));
    ASSERT_TRUE(after);
    EXPECT_EQ((*after)[0], Offset(4));
  }
  Member next(cluster_.config(), group_, topic, cluster_.member_options());
  ASSERT_TRUE(until([&] {
    next.poll();
    return next.seen.size() == 6;
  }));
  EXPECT_EQ(next.seen.begin()->second, 4);
}

TEST_P(GroupContract, AsyncCommitArrives) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 3);
  const TopicPartition partition{topic, Partition(0)};
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 3;
  }));
  const TopicOffset done{topic, Partition(0), Offset(3)};
  ASSERT_TRUE(member.consumer->commit(std::span(&done, 1), CommitMode::kAsync));
  ASSERT_TRUE(until([&] {
    member.poll();
    const auto now = member.consumer->committed(std::span(&partition, 1), seconds(10));
    return now && (*now)[0] == Offset(3);
  }));
}

TEST_P(GroupContract, ListenerChoosesTheStart) {
  const auto topic = cluster_.create_topic(2);
  fill(topic, 2, 10);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  member.start_at = {{0, StartOffset::exact(Offset(7))}, {1, StartOffset::beginning()}};
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() >= 13;
  }));
  EXPECT_EQ(member.seen.size(), 13u);
  EXPECT_TRUE(member.seen.contains({0, 7}));
  EXPECT_FALSE(member.seen.contains({0, 6}));
  EXPECT_TRUE(member.seen.contains({1, 0}));
}

TEST_P(GroupContract, CommitOfWhatIsNotOursIsFenced) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 1);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  const TopicOffset done{topic, Partition(0), Offset(1)};
  EXPECT_EQ(member.consumer->commit(std::span(&done, 1), CommitMode::kSync).error().code,
            ErrorCode::kFenced);
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.owned.size() == 1;
  }));
  EXPECT_TRUE(member.consumer->commit(std::span(&done, 1), CommitMode::kSync));
  member.consumer->close();
  EXPECT_TRUE(member.owned.empty());
  EXPECT_EQ(member.consumer->commit(std::span(&done, 1), CommitMode::kSync).error().code,
            ErrorCode::kFenced);
}

TEST_P(GroupContract, LogThatIsShorterThanWhatWasReadIsSaid) {
  const auto topic = cluster_.create_topic(2);
  fill(topic, 2, 3);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  member.start_at = {{0, StartOffset::exact(Offset(7))}};
  ASSERT_TRUE(until([&] {
    member.poll();
    return !member.loss.empty() && member.seen.size() == 3;
  }));
  EXPECT_TRUE(member.loss.starts_with("topic " + topic +
                                      " partition 0: it ends at offset 3, and was read up to 7"))
      << member.loss;
  EXPECT_EQ(member.owned, std::set{1});
  fill(topic, 2, 10);
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 13;
  }));
  EXPECT_EQ(member.seen.begin()->first, 1);
  const TopicOffset done{topic, Partition(1), Offset(13)};
  EXPECT_TRUE(member.consumer->commit(std::span(&done, 1), CommitMode::kSync));
}

TEST_P(GroupContract, LogThatIsShorterThanWhatWasCommittedIsSaid) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 3);
  {
    Member member(cluster_.config(), group_, topic, cluster_.member_options());
    ASSERT_TRUE(until([&] {
      member.poll();
      return member.seen.size() == 3;
    }));
    const TopicOffset beyond{topic, Partition(0), Offset(7)};
    ASSERT_TRUE(member.consumer->commit(std::span(&beyond, 1), CommitMode::kSync));
    member.commit_on_revoke = false;
  }
  const auto next = join_group(topic);
  ASSERT_TRUE(until([&] {
    next->poll();
    return !next->loss.empty();
  }));
  EXPECT_TRUE(next->owned.empty() && next->seen.empty());
}

// Members come and go while records keep coming; each member checks that nothing arrives after a
// revoke and that offsets rise. Together they must have seen everything.
TEST_P(GroupContract, RebalancesLoseNothing) {
  constexpr int kPartitions = 4;
  const auto topic = cluster_.create_topic(kPartitions);
  TestProducer producer(cluster_.config());
  int sent = 0;
  std::vector<std::unique_ptr<Member>> members;
  const auto join = [&] { members.push_back(join_group(topic)); };
  // A record more in each partition, and a look at each member; then whether all is settled.
  const auto settle = [&](size_t owned_by_each) {
    return until([&] {
      for (int i = 0; i < kPartitions; ++i) producer.send(topic, i, "k", std::to_string(sent));
      ++sent;
      producer.flush();
      for (const auto& member : members) member->poll(milliseconds(1));
      return std::ranges::all_of(members, [&](const auto& member) {
        return member->owned.size() == owned_by_each && !member->seen.empty();
      });
    });
  };

  join();
  ASSERT_TRUE(settle(kPartitions));
  join();
  ASSERT_TRUE(settle(kPartitions / 2));
  EXPECT_EQ(members[0]->revocations, 1);

  std::set<std::pair<int, int64_t>> seen = members[0]->seen;
  members[0]->consumer->close();
  EXPECT_TRUE(members[0]->owned.empty());
  members.erase(members.begin());
  ASSERT_TRUE(settle(kPartitions));
  ASSERT_TRUE(until([&] {
    members[0]->poll();
    seen.insert(members[0]->seen.begin(), members[0]->seen.end());
    return seen.size() >= static_cast<size_t>(kPartitions * sent);
  }));
  EXPECT_EQ(members[0]->lost, 0u);
}

// A batch polled before a rebalance may be read after it: its memory is its own.
TEST_P(GroupContract, BatchSurvivesTheRevocationOfItsPartition) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 5);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  PollBatch batch;
  ASSERT_TRUE(until([&] {
    auto polled = member.consumer->poll(milliseconds(100), 10);
    EXPECT_TRUE(polled);
    batch = std::move(*polled);
    return !batch.empty();
  }));
  member.consumer->close();
  const auto& message = std::get<Message>(batch[0]);
  EXPECT_EQ(message.topic, topic);
  EXPECT_EQ(message.value, "0");
}

// librdkafka remembers that a partition was paused beyond its loss.
TEST_P(GroupContract, WhatComesBackIsNotPaused) {
  const auto topic = cluster_.create_topic(1);
  const auto other = cluster_.create_topic(1);
  fill(topic, 1, 1);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  member.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 1;
  }));
  const TopicPartition partition{topic, Partition(0)};
  ASSERT_TRUE(member.consumer->pause(std::span(&partition, 1)));
  ASSERT_TRUE(member.consumer->subscribe({other}));
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.consumer->assignment() == std::vector{TopicPartition{other, Partition(0)}};
  }));
  member.seen.clear();
  ASSERT_TRUE(member.consumer->subscribe({topic}));
  EXPECT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 1;
  }));
}

TEST_P(GroupContract, WhatIsPausedOrResumedTwiceLosesNothing) {
  const auto topic = cluster_.create_topic(2);
  fill(topic, 2, 100);
  Member member(cluster_.config(), group_, topic, cluster_.member_options());
  member.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    member.poll(milliseconds(20), 1);
    return member.owned.size() == 2 && !member.seen.empty();
  }));
  const TopicPartition first{topic, Partition(0)};
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(member.consumer->pause(std::span(&first, 1)));
    ASSERT_TRUE(member.consumer->pause(member.consumer->assignment()));
    member.poll(milliseconds(20), 1);
    ASSERT_TRUE(member.consumer->resume(std::span(&first, 1)));
    ASSERT_TRUE(member.consumer->resume(member.consumer->assignment()));
    member.poll(milliseconds(20), 1);
  }
  EXPECT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 200;
  }));
}

// On the mock every topic exists: asking for one makes it.
class GroupOnRealBroker : public GroupContract {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GroupOnRealBroker);
INSTANTIATE_TEST_SUITE_P(Clusters, GroupOnRealBroker, ::testing::ValuesIn(real_kinds()), kind_name);

TEST_P(GroupOnRealBroker, MissingTopicIsSaidAndTheOthersAreRead) {
  const auto topic = cluster_.create_topic(1);
  fill(topic, 1, 1);
  const auto missing = cluster_.unique_name("missing");
  Member member(cluster_.config(), group_, topic);
  ASSERT_TRUE(member.consumer->subscribe({missing, topic}));
  std::optional<Error> error;
  size_t messages = 0;
  ASSERT_TRUE(until([&] {
    const auto batch = member.consumer->poll(milliseconds(100), 1);
    if (!batch) {
      error = batch.error();
    } else if (!batch->empty()) {
      messages += std::holds_alternative<Message>((*batch)[0]) ? 1 : 0;
    }
    return error && messages > 0;
  }));
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_NE(error->message.find(missing), std::string::npos) << error->message;
}

TEST(Group, NoOffsetMayBeAnError) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send_numbers("t", 0, 3);
  Member member(cluster.config(), "g", "t", {.no_offset = Consumer::NoOffset::kFail});
  std::optional<Error> error;
  ASSERT_TRUE(until([&] {
    auto batch = member.consumer->poll(milliseconds(100), 10);
    if (!batch) error = batch.error();
    return error.has_value();
  }));
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_NE(error->message.find("topic t partition 0"), std::string::npos) << error->message;
}

// The coordinator moved between the assignment and the question where to start.
TEST(Group, StartsAlthoughTheFirstToBeAskedIsNoCoordinator) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send_numbers("t", 0, 3);
  constexpr int kNotCoordinator = 16;
  cluster.fail_next(testing::MockKafka::Api::kOffsetFetch, {kNotCoordinator});
  Member member(cluster.config(), "g", "t");
  member.commit_on_revoke = false;
  EXPECT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 3;
  }));
}

// librdkafka sends a commit again that the broker could not take, without a look at newer ones.
TEST(Group, ACommitIsNotOvertakenByAnOlderOne) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send_numbers("t", 0, 2);
  Member member(cluster.config(), "g", "t");
  member.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 2;
  }));
  constexpr int kCoordinatorLoads = 14;
  cluster.fail_next(testing::MockKafka::Api::kOffsetCommit, {kCoordinatorLoads});
  for (int64_t offset = 1; offset <= 2; ++offset) {
    ASSERT_TRUE(until([&] {
      member.poll();
      return !member.consumer->committing();
    }));
    const TopicOffset done{"t", Partition(0), Offset(offset)};
    ASSERT_TRUE(member.consumer->commit(std::span(&done, 1), CommitMode::kAsync));
    EXPECT_TRUE(member.consumer->committing());
  }
  ASSERT_TRUE(until([&] {
    member.poll();
    return !member.consumer->committing();
  }));
  const TopicPartition partition{"t", Partition(0)};
  const auto committed = member.consumer->committed(std::span(&partition, 1), seconds(10));
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(committed->front(), Offset(2));
}

TEST(Group, CommitFencedByTheBroker) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send_numbers("t", 0, 1);
  Member member(cluster.config(), "g", "t");
  member.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.seen.size() == 1;
  }));
  constexpr int kIllegalGeneration = 22;
  cluster.fail_next(testing::MockKafka::Api::kOffsetCommit, {kIllegalGeneration});
  const TopicOffset done{"t", Partition(0), Offset(1)};
  const auto committed = member.consumer->commit(std::span(&done, 1), CommitMode::kSync);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kFenced);
}

TEST(Group, CommitGivesUpInTime) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  Member member(cluster.config(), "g", "t");
  member.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    member.poll();
    return member.owned.size() == 1;
  }));
  cluster.set_round_trip(1, seconds(3));
  const TopicOffset done{"t", Partition(0), Offset(0)};
  const auto committed =
      member.consumer->commit(std::span(&done, 1), CommitMode::kSync, milliseconds(50));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kTimeout);
  cluster.set_round_trip(1, milliseconds(0));
}

TEST(Group, MemberThatDoesNotPollLosesItsPartitions) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  Member slow(cluster.config(), "g", "t",
              {.session_timeout = milliseconds(6000), .max_poll_interval = milliseconds(6000)});
  slow.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    slow.poll();
    return slow.owned.size() == 1;
  }));
  Member other(cluster.config(), "g", "t");
  other.commit_on_revoke = false;
  ASSERT_TRUE(until([&] {
    other.poll();
    return other.owned.size() == 1;
  }));
  ASSERT_TRUE(until([&] {
    slow.poll();
    return slow.owned.empty();
  }));
  EXPECT_EQ(slow.lost, 1u);
  const TopicOffset done{"t", Partition(0), Offset(0)};
  EXPECT_EQ(slow.consumer->commit(std::span(&done, 1), CommitMode::kSync).error().code,
            ErrorCode::kFenced);
}

}  // namespace
}  // namespace searchsync::kafka
