#include "lib/kafka/consumer.h"

#include <gtest/gtest.h>

#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A reader without a group: what is in a topic comes out as it went in.
class ReaderContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  std::vector<Record> read(Consumer& consumer, size_t count) {
    std::vector<Record> records;
    EXPECT_TRUE(until([&] {
      poll_into(consumer, records);
      return records.size() >= count;
    }));
    return records;
  }

  std::unique_ptr<Consumer> read_all_of(const std::string& topic,
                                        const Consumer::Options& options = {}) {
    return make_reader(cluster_.config(), {{{topic, Partition(0)}, StartOffset::beginning()}},
                       options);
  }

  TestCluster cluster_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Clusters, ReaderContract, ::testing::ValuesIn(cluster_kinds()), kind_name);

TEST_P(ReaderContract, RoundTripKeepsNullAndEmptyApart) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  const std::string binary("\0\xff\n", 3);
  producer.send(topic, 0, "k", "v");
  producer.send(topic, 0, "k", std::nullopt);
  producer.send(topic, 0, "", "");
  producer.send(topic, 0, std::nullopt, binary);
  producer.flush();

  auto consumer = read_all_of(topic);
  const std::vector<Record> kExpected{{topic, 0, 0, "k", "v"},
                                      {topic, 0, 1, "k", std::nullopt},
                                      {topic, 0, 2, "", ""},
                                      {topic, 0, 3, std::nullopt, binary}};
  EXPECT_EQ(read(*consumer, 4), kExpected);
}

TEST_P(ReaderContract, HeadersAndTimestamps) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send(topic, 0, "k", "v", {{"a", "1"}, {"b", ""}, {"a", "2"}});
  producer.send(topic, 0, "k", std::nullopt, {{"c", "3"}});
  producer.send(topic, 0, "k", "none");
  producer.flush();

  auto consumer = read_all_of(topic);
  std::vector<std::string> seen;
  ASSERT_TRUE(until([&] {
    const auto batch = consumer->poll(milliseconds(100), 100);
    EXPECT_TRUE(batch);
    for (const auto& event : *batch) {
      const auto* const message = std::get_if<Message>(&event);
      if (!message) continue;
      EXPECT_GT(message->timestamp_ms, 1'600'000'000'000);
      std::string text(message->header("a").value_or("-"));
      text += message->header("b") ? " b" : "";
      message->each_header(
          [&](auto name, auto value) { text.append(" ").append(name).append("=").append(value); });
      seen.push_back(text);
    }
    return seen.size() >= 3;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"2 b a=1 b= a=2", "- c=3", "-"}));
}

TEST_P(ReaderContract, StartsWhereItIsToldTo) {
  const auto topic = cluster_.create_topic(3);
  TestProducer producer(cluster_.config());
  for (int partition = 0; partition < 3; ++partition) producer.send_numbers(topic, partition, 5);
  auto consumer =
      make_reader(cluster_.config(), {{{topic, Partition(0)}, StartOffset::exact(Offset(3))},
                                      {{topic, Partition(1)}, StartOffset::end()},
                                      {{topic, Partition(2)}, StartOffset::beginning()}});
  // The end is where the log ended when the reader got there; only then is more sent.
  std::vector<int64_t> ends(3, -1);
  std::vector<std::vector<int64_t>> offsets(3);
  const auto poll = [&] {
    const auto batch = consumer->poll(milliseconds(100), 100);
    ASSERT_TRUE(batch) << batch.error().message;
    for (const auto& event : *batch) {
      if (const auto* end = std::get_if<PartitionEnd>(&event)) {
        ends[static_cast<size_t>(end->partition.get())] = end->offset.get();
      } else {
        const auto& message = std::get<Message>(event);
        offsets[static_cast<size_t>(message.partition.get())].push_back(message.offset.get());
      }
    }
  };
  ASSERT_TRUE(until([&] {
    poll();
    return ends == std::vector<int64_t>{5, 5, 5};
  }));
  producer.send(topic, 1, "k", "late");
  producer.flush();
  ASSERT_TRUE(until([&] {
    poll();
    return !offsets[1].empty();
  }));
  EXPECT_EQ(offsets[0], (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(offsets[1], (std::vector<int64_t>{5}));
  EXPECT_EQ(offsets[2], (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST_P(ReaderContract, PollTakesNoMoreThanAsked) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 20);
  auto consumer = read_all_of(topic);
  size_t got = 0;
  ASSERT_TRUE(until([&] {
    const auto batch = consumer->poll(milliseconds(100), 3);
    EXPECT_TRUE(batch);
    EXPECT_LE(batch->size(), 3u);
    got += batch->size();
    return got >= 20;
  }));
}

TEST_P(ReaderContract, LogThatIsShorterThanWhatWasReadIsAnError) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 3);
  auto consumer =
      make_reader(cluster_.config(), {{{topic, Partition(0)}, StartOffset::exact(Offset(7))}});
  std::optional<Error> error;
  ASSERT_TRUE(until([&] {
    const auto batch = consumer->poll(milliseconds(100), 10);
    if (!batch) error = batch.error();
    return error.has_value();
  }));
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_NE(error->message.find("it ends at offset 3, and was read up to 7"), std::string::npos)
      << error->message;
}

TEST_P(ReaderContract, SeekGoesBackAndForth) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 10);
  auto consumer = read_all_of(topic);
  EXPECT_EQ(read(*consumer, 10).size(), 10u);
  for (const int64_t to : {int64_t{2}, int64_t{7}, int64_t{0}}) {
    const auto sought = consumer->seek({topic, Partition(0), Offset(to)}, seconds(10));
    ASSERT_TRUE(sought) << sought.error().message;
    const auto records = read(*consumer, static_cast<size_t>(10 - to));
    ASSERT_FALSE(records.empty());
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].offset, to + static_cast<int64_t>(i));
    }
  }
  EXPECT_EQ(consumer->seek({topic, Partition(1), Offset(0)}, seconds(10)).error().code,
            ErrorCode::kNotFound);
}

TEST_P(ReaderContract, PausedPartitionIsSilentAndLosesNothing) {
  const auto topic = cluster_.create_topic(2);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 50);
  producer.send_numbers(topic, 1, 1);
  const TopicPartition first{topic, Partition(0)};
  auto consumer = make_reader(cluster_.config(), {{first, StartOffset::beginning()},
                                                  {{topic, Partition(1)}, StartOffset::end()}});
  std::vector<Record> records;
  ASSERT_TRUE(until([&] {
    const auto batch = consumer->poll(milliseconds(100), 1);
    EXPECT_TRUE(batch);
    return !batch->empty() && std::holds_alternative<Message>((*batch)[0]);
  }));
  ASSERT_TRUE(consumer->pause(std::span(&first, 1)));
  // That the other partition delivers shows that the paused one had its chance.
  ASSERT_TRUE(until([&] {
    producer.send(topic, 1, "k", "v");
    producer.flush();
    poll_into(*consumer, records);
    return records.size() >= 3;
  }));
  for (const auto& record : records) EXPECT_EQ(record.partition, 1);

  records.clear();
  ASSERT_TRUE(consumer->resume(std::span(&first, 1)));
  ASSERT_TRUE(until([&] {
    poll_into(*consumer, records);
    std::erase_if(records, [](const Record& record) { return record.partition == 1; });
    return records.size() >= 49;
  }));
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].offset, static_cast<int64_t>(i) + 1);
  }
}

// librdkafka by itself would pause for up to a second each time its queue was full.
TEST_P(ReaderContract, FullQueueIsFilledAgainAtOnce) {
  constexpr size_t kRecords = 1000;
  constexpr size_t kRecordsPerFetch = 8;
  const auto topic = cluster_.create_topic(1);
  // Compressed, all of it would come in one fetch; and a fetch takes whole batches.
  TestProducer producer(cluster_.config(),
                        {.linger = milliseconds(0), .compression = Producer::Compression::kNone});
  const std::string value(4000, 'x');
  for (size_t i = 0; i < kRecords; ++i) {
    producer.send(topic, 0, std::nullopt, value);
    if (i % kRecordsPerFetch == 0) producer.flush();
  }
  producer.flush();
  auto consumer =
      read_all_of(topic, {.queue_bytes_max = 64 << 10, .partition_fetch_bytes_max = 32 << 10});
  const auto began = std::chrono::steady_clock::now();
  size_t got = 0;
  ASSERT_TRUE(until([&] {
    const auto batch = consumer->poll(milliseconds(100), 1);
    EXPECT_TRUE(batch);
    for (const auto& event : *batch) got += std::holds_alternative<Message>(event) ? 1 : 0;
    producer.producer->poll(milliseconds(1));  // slower than the broker: the queue fills
    return got == kRecords;
  }));
  // Sixty times the queue, so about as many seconds otherwise.
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(25));
}

TEST_P(ReaderContract, WatermarksAreTheEndsOfTheLog) {
  const auto topic = cluster_.create_topic(1);
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic, 0, 7);
  auto consumer = read_all_of(topic);
  const auto marks = consumer->watermarks({topic, Partition(0)}, seconds(10));
  ASSERT_TRUE(marks) << marks.error().message;
  EXPECT_EQ(marks->low, Offset(0));
  EXPECT_EQ(marks->high, Offset(7));
  EXPECT_TRUE(until([&] {
    EXPECT_TRUE(consumer->poll(milliseconds(100), 100));
    return consumer->fetched_end({topic, Partition(0)}) == Offset(7);
  }));
}

TEST_P(ReaderContract, HasNoGroup) {
  const auto topic = cluster_.create_topic(1);
  auto made = Consumer::reader(cluster_.config(), {});
  ASSERT_TRUE(made);
  const TopicPartition partition{topic, Partition(0)};
  const TopicOffset offset{topic, Partition(0), Offset(1)};
  const PartitionStart committed{partition, StartOffset::committed()};
  EXPECT_EQ((*made)->assign(std::span(&committed, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ((*made)->commit(std::span(&offset, 1), CommitMode::kSync).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ((*made)->committed(std::span(&partition, 1), seconds(1)).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(Reader, OutlivesABrokerThatGoesAway) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  TestProducer producer(cluster.config());
  producer.send_numbers("t", 0, 3);
  auto consumer = make_reader(cluster.config(), {{{"t", Partition(0)}, StartOffset::beginning()}});
  std::vector<Record> records;
  ASSERT_TRUE(until([&] {
    poll_into(*consumer, records);
    return records.size() == 3;
  }));
  cluster.stop_broker(1);
  ASSERT_TRUE(until([&] {
    poll_into(*consumer, records);
    return consumer->connection_error().has_value();
  }));
  EXPECT_TRUE(consumer->connection_error()->retryable());
  cluster.start_broker(1);
  producer.send("t", 0, "k", "v");
  ASSERT_TRUE(until([&] {
    producer.producer->poll(milliseconds(0));
    poll_into(*consumer, records);
    return records.size() == 4;
  }));
  EXPECT_FALSE(consumer->connection_error());
}

}  // namespace
}  // namespace searchsync::kafka
