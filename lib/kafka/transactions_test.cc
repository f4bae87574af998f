#include <gtest/gtest.h>

#include <algorithm>

#include "lib/kafka/admin.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A member of a group that reads what it is given.
class Member : public GroupListener {
 public:
  Member(const ClientConfig& config, const std::string& group, const std::string& topic,
         const Consumer::Options& options) {
    auto made = Consumer::join(config, group, options, *this);
    EXPECT_TRUE(made) << made.error().message;
    consumer = std::move(*made);
    EXPECT_TRUE(consumer->subscribe({topic}));
  }

  std::vector<StartOffset> on_assigned(std::span<const TopicPartition> partitions) override {
    owned.insert(owned.end(), partitions.begin(), partitions.end());
    return std::vector<StartOffset>(partitions.size(), StartOffset::committed());
  }
  void on_revoked(std::span<const TopicPartition> partitions) override { on_lost(partitions); }
  void on_lost(std::span<const TopicPartition> partitions) override {
    for (const auto& one : partitions) std::erase(owned, one);
  }
  void on_records_lost(const TopicPartition&, const Error& error) override {
    ADD_FAILURE() << error.message;
  }
  void on_commit_failed(const Error&) override {}

  void poll() { ASSERT_TRUE(consumer->poll(milliseconds(20), 100)); }
  void wait_for_partitions(size_t count) {
    ASSERT_TRUE(until([&] {
      poll();
      return owned.size() == count;
    }));
  }

  std::vector<TopicPartition> owned;
  std::unique_ptr<Consumer> consumer;
};

class TransactionContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  std::unique_ptr<TestProducer> transactional(const std::string& id) {
    auto made = std::make_unique<TestProducer>(
        cluster_.config(), Producer::Options{.delivery_timeout = milliseconds(20'000),
                                             .transactional_id = id,
                                             .transaction_timeout = milliseconds(20'000)});
    const auto initialized = made->producer->initialize_transactions(seconds(30));
    EXPECT_TRUE(initialized) << initialized.error().message;
    return made;
  }
  static void begin(TestProducer& producer) {
    const auto begun = producer.producer->begin_transaction();
    ASSERT_TRUE(begun) << begun.error().message;
  }
  std::unique_ptr<Member> join(const std::string& topic) {
    return std::make_unique<Member>(cluster_.config(), group_, topic, cluster_.member_options());
  }
  static std::optional<Offset> committed(Member& member, const TopicPartition& partition) {
    const auto offsets = member.consumer->committed(std::span(&partition, 1), seconds(10));
    EXPECT_TRUE(offsets) << offsets.error().message;
    return offsets ? offsets->front() : std::nullopt;
  }
  // The values that a reader of committed records sees.
  std::vector<std::string> visible(const std::string& topic) {
    auto reader =
        make_reader(cluster_.config(), {{{topic, Partition(0)}, StartOffset::beginning()}});
    std::vector<std::string> values;
    EXPECT_TRUE(until([&] {
      const auto batch = reader->poll(milliseconds(100), 100);
      EXPECT_TRUE(batch);
      bool ended = false;
      for (const auto& event : *batch) {
        if (const auto* message = std::get_if<Message>(&event)) {
          values.emplace_back(message->value.value_or("none"));
        } else {
          ended = true;
        }
      }
      return ended;
    }));
    return values;
  }

  TestCluster cluster_{GetParam()};
  const std::string group_ = cluster_.unique_name("group");
};

INSTANTIATE_TEST_SUITE_P(Clusters, TransactionContract, ::testing::ValuesIn(cluster_kinds()),
                         kind_name);

TEST_P(TransactionContract, WritesInTransactions) {
  const auto topic = cluster_.create_topic(1);
  const auto events = cluster_.create_topic(1);
  const auto producer = transactional(cluster_.unique_name("id"));
  const auto member = join(events);
  member->wait_for_partitions(1);
  begin(*producer);
  producer->send(topic, 0, "k", "v");
  const TopicOffset next{events, Partition(0), Offset(3)};
  const auto done = producer->producer->commit_transaction(std::span(&next, 1),
                                                           member->consumer->group_metadata());
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(producer->deliveries.size(), 1u) << "it hands over what was delivered";
  EXPECT_FALSE(producer->deliveries[0].error);
  EXPECT_EQ(producer->deliveries[0].offset, Offset(0));
  EXPECT_EQ(visible(topic), std::vector<std::string>{"v"});
}

TEST_P(TransactionContract, NothingIsWrittenOutsideOfOne) {
  const auto topic = cluster_.create_topic(1);
  const auto producer = transactional(cluster_.unique_name("id"));
  EXPECT_FALSE(producer->producer->send(topic, Partition(0), "k", "v", {}, 0));
}

// What the mock does not do: isolation, and fencing by generation.
class RealTransactionContract : public TransactionContract {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RealTransactionContract);
INSTANTIATE_TEST_SUITE_P(Clusters, RealTransactionContract, ::testing::ValuesIn(real_kinds()),
                         kind_name);

TEST_P(RealTransactionContract, RowsAndOffsetsAreCommittedTogetherOrNotAtAll) {
  const auto topic = cluster_.create_topic(1);
  const auto events = cluster_.create_topic(1);
  const auto producer = transactional(cluster_.unique_name("id"));
  const auto member = join(events);
  member->wait_for_partitions(1);
  begin(*producer);
  producer->send(topic, 0, "k", "aborted");
  ASSERT_TRUE(producer->producer->abort_transaction());
  EXPECT_EQ(committed(*member, {events, Partition(0)}), std::nullopt);
  begin(*producer);
  producer->send(topic, 0, "k", "committed");
  const TopicOffset next{events, Partition(0), Offset(3)};
  const auto done = producer->producer->commit_transaction(std::span(&next, 1),
                                                           member->consumer->group_metadata());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(visible(topic), std::vector<std::string>{"committed"});
  EXPECT_EQ(committed(*member, {events, Partition(0)}), Offset(3));
}

TEST_P(RealTransactionContract, ALaterProducerOfTheIdFencesAnEarlierOne) {
  const auto topic = cluster_.create_topic(1);
  const auto events = cluster_.create_topic(1);
  const auto id = cluster_.unique_name("id");
  const auto first = transactional(id);
  const auto member = join(events);
  member->wait_for_partitions(1);
  begin(*first);
  first->send(topic, 0, "k", "of the first");
  ASSERT_TRUE(until([&] { return first->producer->poll(milliseconds(100)) > 0; }));
  const auto second = transactional(id);
  const TopicOffset next{events, Partition(0), Offset(3)};
  const auto metadata = member->consumer->group_metadata();
  const auto refused = first->producer->commit_transaction(std::span(&next, 1), metadata);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFenced) << refused.error().message;
  begin(*second);
  second->send(topic, 0, "k", "of the second");
  ASSERT_TRUE(second->producer->commit_transaction({}, metadata));
  EXPECT_EQ(visible(topic), std::vector<std::string>{"of the second"});
  EXPECT_EQ(committed(*member, {events, Partition(0)}), std::nullopt);
}

TEST_P(RealTransactionContract, AMembershipThatIsOverIsRefusedAndTheProducerGoesOn) {
  const auto topic = cluster_.create_topic(1);
  const auto events = cluster_.create_topic(2);
  const auto producer = transactional(cluster_.unique_name("id"));
  const auto member = join(events);
  member->wait_for_partitions(2);
  const auto before = member->consumer->group_metadata();
  const auto other = join(events);
  ASSERT_TRUE(until([&] {
    member->poll();
    other->poll();
    return member->owned.size() == 1 && other->owned.size() == 1;
  }));
  begin(*producer);
  producer->send(topic, 0, "k", "of a zombie");
  const TopicOffset taken{events, other->owned.front().partition, Offset(3)};
  const auto refused = producer->producer->commit_transaction(std::span(&taken, 1), before);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(producer->producer->fatal_error()) << refused.error().message;
  EXPECT_EQ(committed(*other, other->owned.front()), std::nullopt);
  begin(*producer);
  producer->send(topic, 0, "k", "of a member");
  const TopicOffset ours{events, member->owned.front().partition, Offset(4)};
  const auto done = producer->producer->commit_transaction(std::span(&ours, 1),
                                                           member->consumer->group_metadata());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(visible(topic), std::vector<std::string>{"of a member"});
}

// What is not committed has a place already: who wants to see all that may yet be committed reads
// up to there.
TEST_P(RealTransactionContract, TheEndWithWhatIsNotCommittedIsAskedForApart) {
  const auto topic = cluster_.create_topic(1);
  const auto producer = transactional(cluster_.unique_name("id"));
  begin(*producer);
  producer->send(topic, 0, "k", "v");
  ASSERT_TRUE(until([&] { return producer->producer->poll(milliseconds(100)) > 0; }));
  const auto admin = Admin::create(cluster_.config(), {});
  ASSERT_TRUE(admin);
  const auto end = [&](Admin::Ends ends) {
    const auto offsets = (*admin)->list_offsets(topic, ends);
    EXPECT_TRUE(offsets) << offsets.error().message;
    return offsets ? offsets->front().end : Offset(-1);
  };
  EXPECT_EQ(end(Admin::Ends::kCommitted), Offset(0));
  EXPECT_EQ(end(Admin::Ends::kAll), Offset(1));
  ASSERT_TRUE(producer->producer->abort_transaction());
  EXPECT_TRUE(until([&] { return end(Admin::Ends::kCommitted) == Offset(2); }))
      << "the record, and how it ended";
}

TEST_P(RealTransactionContract, AnOffsetIsFoundByItsTime) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 3);
  auto reader = make_reader(cluster_.config(), {{{topic, Partition(0)}, StartOffset::beginning()}});
  std::vector<int64_t> times;
  ASSERT_TRUE(until([&] {
    const auto batch = reader->poll(milliseconds(100), 10);
    for (const auto& event : *batch) {
      if (const auto* message = std::get_if<Message>(&event))
        times.push_back(message->timestamp_ms);
    }
    return times.size() == 3;
  }));
  const auto at = [&](int64_t time_ms) {
    const auto found = reader->offset_at({topic, Partition(0)}, time_ms, seconds(10));
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::nullopt;
  };
  EXPECT_EQ(at(times.front()), Offset(0));
  EXPECT_EQ(at(0), Offset(0));
  EXPECT_EQ(at(times.back() + 1), std::nullopt);
}

}  // namespace
}  // namespace searchsync::kafka
