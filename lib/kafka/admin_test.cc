#include "lib/kafka/admin.h"

#include <gtest/gtest.h>

#include "lib/kafka/group_list.h"
#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Admin> make_admin(const ClientConfig& config) {
  auto made = Admin::create(config, {});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

class AdminContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  TestCluster cluster_{GetParam()};
  std::unique_ptr<Admin> admin_ = make_admin(cluster_.config());
};

INSTANTIATE_TEST_SUITE_P(Clusters, AdminContract, ::testing::ValuesIn(cluster_kinds()), kind_name);

TEST_P(AdminContract, SeesTopics) {
  ASSERT_TRUE(admin_->check_reachable(seconds(10)));
  const auto topic = cluster_.create_topic(3);
  const auto topics = admin_->list_topics();
  ASSERT_TRUE(topics) << topics.error().message;
  ASSERT_TRUE(topics->contains(topic));
  EXPECT_EQ(topics->at(topic), 3);
  EXPECT_EQ(admin_->partition_count(topic).value(), 3);
  EXPECT_EQ(admin_->partition_count("test.absent").value(), std::nullopt);
}

TEST_P(AdminContract, ListsOffsets) {
  const auto topic = cluster_.create_topic(3);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 5);
  producer.send_numbers(topic, 2, 2);
  const auto offsets = admin_->list_offsets(topic);
  ASSERT_TRUE(offsets) << offsets.error().message;
  ASSERT_EQ(offsets->size(), 3u);
  const std::vector<int64_t> kEnds{5, 0, 2};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*offsets)[i].partition.get(), static_cast<int>(i));
    EXPECT_EQ((*offsets)[i].begin.get(), 0);
    EXPECT_EQ((*offsets)[i].end.get(), kEnds[i]);
  }
  const auto absent = admin_->list_offsets("test.absent");
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_NE(absent.error().message.find("test.absent"), std::string::npos);
}

TEST_P(AdminContract, ListsOffsetsOfSeveralTopics) {
  const auto two = cluster_.create_topic(2);
  const auto one = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(two, 1, 4);
  producer.send_numbers(one, 0, 7);
  const auto offsets = admin_->list_offsets(TopicSizes{{two, 2}, {one, 1}});
  ASSERT_TRUE(offsets) << offsets.error().message;
  ASSERT_EQ(offsets->at(two).size(), 2u);
  EXPECT_EQ(offsets->at(two)[0].end.get(), 0);
  EXPECT_EQ(offsets->at(two)[1].end.get(), 4);
  ASSERT_EQ(offsets->at(one).size(), 1u);
  EXPECT_EQ(offsets->at(one)[0].end.get(), 7);
}

class AssignAll : public GroupListener {
 public:
  std::vector<StartOffset> on_assigned(std::span<const TopicPartition> partitions) override {
    return std::vector<StartOffset>(partitions.size());
  }
  void on_revoked(std::span<const TopicPartition>) override {}
  void on_lost(std::span<const TopicPartition>) override {}
  void on_records_lost(const TopicPartition&, const Error& error) override {
    ADD_FAILURE() << error.message;
  }
  void on_commit_failed(const Error& error) override { ADD_FAILURE() << error.message; }
};

// A member of the group that is assigned both partitions of the topic.
std::unique_ptr<Consumer> join(const ClientConfig& config, const std::string& group,
                               const std::string& topic, const Consumer::Options& options,
                               GroupListener& listener) {
  auto made = Consumer::join(config, group, options, listener);
  EXPECT_TRUE(made && (*made)->subscribe({topic}));
  EXPECT_TRUE(until([&] {
    EXPECT_TRUE((*made)->poll(milliseconds(100), 10));
    return (*made)->assignment().size() == 2;
  }));
  return std::move(*made);
}

// As librdkafka does not, by itself.
TEST(Admin, SessionsMayBeLong) {
  testing::MockKafka cluster(1);
  cluster.create_topic("letters", 2);
  AssignAll listener;
  join(cluster.config(), "readers", "letters", {.session_timeout = std::chrono::minutes(30)},
       listener);
}

// Fault model: of many groups, some's coordinator moves between two questions.
TEST(Admin, GroupsCoordinatorsMayMove) {
  constexpr int kNotCoordinator = 16;
  constexpr int kLoading = 14;
  testing::MockKafka cluster(2);
  cluster.create_topic("letters", 2);
  const auto admin = make_admin(cluster.config());
  const std::vector<TopicPartition> both{{"letters", Partition(0)}, {"letters", Partition(1)}};
  cluster.set_coordinator("readers", 1);
  AssignAll listener;
  const auto member = join(cluster.config(), "readers", "letters",
                           {.session_timeout = milliseconds(5000)}, listener);
  const std::vector<TopicOffset> offsets{{"letters", Partition(0), Offset(3), "a note"},
                                         {"letters", Partition(1), Offset(0)}};
  ASSERT_TRUE(member->commit(offsets, CommitMode::kSync));
  EXPECT_EQ(admin->group_offsets("readers", both).value(), offsets);
  for (const int broker : {2, 1, 2}) {
    cluster.set_coordinator("readers", broker);
    const auto seen = admin->group_offsets("readers", both);
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(*seen, offsets);
    EXPECT_TRUE(admin->group_offsets("others", both).value().empty());
  }
  cluster.fail_next(testing::MockKafka::Api::kOffsetFetch,
                    {kNotCoordinator, kLoading, kNotCoordinator});
  EXPECT_EQ(admin->group_offsets("readers", both).value(), offsets);
  EXPECT_TRUE(admin->group_offsets("readers", {}).value().empty());
}

// Fault model: a group's coordinator is away for longer than a question waits, and comes back.
TEST(Admin, AGroupsCoordinatorMayBeAwayForLong) {
  testing::MockKafka cluster;
  cluster.create_topic("letters", 1);
  auto made = Admin::create(cluster.config(), {.timeout = milliseconds(500)});
  ASSERT_TRUE(made) << made.error().message;
  const std::vector<TopicPartition> one{{"letters", Partition(0)}};
  const auto ask = [&] { return (*made)->group_offsets("readers", one); };
  ASSERT_TRUE(until([&] { return ask().has_value(); }));
  for (int i = 0; i < 3; ++i) {
    cluster.stop_broker(1);
    const auto unanswered = ask();
    ASSERT_FALSE(unanswered);
    EXPECT_TRUE(unanswered.error().retryable()) << unanswered.error().message;
    cluster.start_broker(1);
    ASSERT_TRUE(until([&] { return ask().has_value(); }));
  }
}

TEST(Admin, UnreachableNamesTheBrokers) {
  ClientConfig config;
  config.bootstrap_servers = {"127.0.0.1:1"};
  const auto admin = make_admin(config);
  const auto reachable = admin->check_reachable(milliseconds(300));
  ASSERT_FALSE(reachable);
  EXPECT_TRUE(reachable.error().retryable());
  EXPECT_NE(reachable.error().message.find("127.0.0.1:1"), std::string::npos);
  const auto groups = GroupList::create(config, milliseconds(300)).value()->find("");
  ASSERT_FALSE(groups);
  EXPECT_NE(groups.error().message.find("127.0.0.1:1"), std::string::npos);
}

// What the mock does not serve.
class AdminOnRealBroker : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  TestCluster cluster_{GetParam()};
  std::unique_ptr<Admin> admin_ = make_admin(cluster_.config());
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AdminOnRealBroker);
INSTANTIATE_TEST_SUITE_P(Clusters, AdminOnRealBroker, ::testing::ValuesIn(real_kinds()), kind_name);

TEST_P(AdminOnRealBroker, TopicFromCreationToDeletion) {
  const auto name = cluster_.unique_name("topic");
  const NewTopic topic{
      .name = name,
      .partitions = 4,
      .replication_factor = -1,
      .config = {{"cleanup.policy", "compact"}, {"min.compaction.lag.ms", "5000"}}};
  const auto created = admin_->create_topic(topic);
  ASSERT_TRUE(created) << created.error().message;
  const auto again = admin_->create_topic(topic);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_NE(again.error().message.find(name), std::string::npos);

  const auto described = admin_->describe_topics(std::span(&name, 1));
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_EQ((*described)[0].partitions, 4);
  EXPECT_EQ((*described)[0].config.at("cleanup.policy"), "compact");
  EXPECT_EQ((*described)[0].config.at("min.compaction.lag.ms"), "5000");
  EXPECT_TRUE((*described)[0].config.contains("retention.ms"));

  ASSERT_TRUE(admin_->delete_topic(name));
  EXPECT_TRUE(until([&] { return admin_->partition_count(name).value() == std::nullopt; }));
  EXPECT_EQ(admin_->delete_topic(name).error().code, ErrorCode::kNotFound);
  const auto other = cluster_.create_topic(1);
  EXPECT_EQ(admin_->list_offsets(TopicSizes{{name, 4}, {other, 1}}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(admin_->describe_topics(std::span(&name, 1)).error().code, ErrorCode::kNotFound);
}

TEST_P(AdminOnRealBroker, RefusedTopicSaysWhy) {
  const auto created = admin_->create_topic(
      {.name = cluster_.unique_name("topic"), .config = {{"cleanup.policy", "nonsense"}}});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(created.error().message.find("nonsense"), std::string::npos);
}

TEST_P(AdminOnRealBroker, GroupOffsets) {
  const auto topic = cluster_.create_topic(2);
  const auto group = cluster_.unique_name("group");
  const std::vector<TopicPartition> both{{topic, Partition(0)}, {topic, Partition(1)}};
  EXPECT_TRUE(admin_->group_offsets(group, both).value().empty());
  EXPECT_EQ(admin_->delete_group(group).error().code, ErrorCode::kNotFound);

  AssignAll listener;
  const auto consumer = join(cluster_.config(), group, topic, {}, listener);
  const std::vector<TopicOffset> offsets{{topic, Partition(0), Offset(0)},
                                         {topic, Partition(1), Offset(0)}};
  const auto committed = consumer->commit(offsets, CommitMode::kSync);
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(admin_->group_offsets(group, both).value(), offsets);
  EXPECT_EQ(admin_->delete_group(group).error().code, ErrorCode::kConflict);
  consumer->close();
  const auto groups = GroupList::create(cluster_.config(), seconds(15)).value();
  EXPECT_EQ(groups->find(group).value(), std::vector{group}) << "it has no members now";
  const auto deleted = admin_->delete_group(group);
  EXPECT_TRUE(deleted) << deleted.error().message;
  EXPECT_TRUE(groups->find(group).value().empty());
  EXPECT_TRUE(admin_->group_offsets(group, both).value().empty());
}

}  // namespace
}  // namespace searchsync::kafka
