#include "ingest/run/log_writer.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "lib/kafka/kafka_test_support.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::ingest {
namespace {

using std::chrono::milliseconds;
using Outcome = LogWriter::Outcome;

// Of the protocol.
constexpr int kMessageTooLarge = 10;
constexpr int kOutOfOrderSequence = 45;

Batch batch_of(const std::vector<std::pair<std::string, std::string>>& records) {
  Batch batch;
  for (const auto& [key, value] : records) {
    batch.records.push_back({.begin = batch.bytes.size(),
                             .key_size = key.size(),
                             .value_size = value.size(),
                             .place = batch.records.size()});
    batch.bytes += key + value;
  }
  return batch;
}

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() { kafka_.create_topic("events", 4); }

  void start(const LogWriter::Options& options = {}) {
    auto writer = LogWriter::create(kafka_.config(), options, registry_, health_);
    ASSERT_TRUE(writer) << writer.error().message;
    writer_ = std::move(*writer);
  }

  Outcome write(const std::string& key, const std::string& value) {
    return writer_->write("events", batch_of({{key, value}})).outcome;
  }

  std::map<std::pair<int, int64_t>, std::pair<std::string, std::string>> log(size_t records) {
    std::vector<kafka::PartitionStart> starts;
    for (int p = 0; p < 4; ++p) {
      starts.push_back({{"events", Partition(p)}, kafka::StartOffset::beginning()});
    }
    const auto reader = kafka::make_reader(kafka_.config(), starts);
    std::vector<kafka::Record> read;
    EXPECT_TRUE(kafka::until([&] {
      kafka::poll_into(*reader, read);
      return read.size() >= records;
    }));
    std::map<std::pair<int, int64_t>, std::pair<std::string, std::string>> log;
    for (const auto& one : read) log[{one.partition, one.offset}] = {*one.key, *one.value};
    return log;
  }

  void wait_in_flight(int events) {
    const auto line = fmt::format("searchsync_ingest_in_flight_events {}\n", events);
    EXPECT_TRUE(kafka::until([&] { return registry_.render().find(line) != std::string::npos; }));
  }

  searchsync::testing::MockKafka kafka_;
  metrics::Registry registry_;
  http::Health health_;
  std::unique_ptr<LogWriter> writer_;
};

TEST_F(LogWriterTest, EveryReceiptIsTrueAndEachKeyKeepsItsOrder) {
  constexpr int kThreads = 8, kBatches = 20, kRecords = 10;
  start();
  std::vector<std::future<std::vector<std::pair<Receipt, std::pair<std::string, std::string>>>>>
      writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.push_back(std::async(std::launch::async, [this, t] {
      std::vector<std::pair<Receipt, std::pair<std::string, std::string>>> all;
      for (int b = 0; b < kBatches; ++b) {
        std::vector<std::pair<std::string, std::string>> records;
        for (int r = 0; r < kRecords; ++r) {
          records.emplace_back(fmt::format("key-{}", t), fmt::format("{:06}", b * kRecords + r));
        }
        const auto written = writer_->write("events", batch_of(records));
        EXPECT_EQ(written.outcome, Outcome::kAcknowledged);
        for (int r = 0; r < kRecords; ++r) {
          all.emplace_back(written.receipts[static_cast<size_t>(r)],
                           records[static_cast<size_t>(r)]);
        }
      }
      return all;
    }));
  }
  std::map<std::pair<int, int64_t>, std::pair<std::string, std::string>> expected;
  for (auto& writer : writers) {
    for (const auto& [receipt, record] : writer.get()) {
      EXPECT_TRUE(receipt.acknowledged);
      EXPECT_TRUE(expected.try_emplace({receipt.partition, receipt.offset}, record).second);
    }
  }
  const auto found = log(expected.size());
  EXPECT_EQ(found, expected);
  std::map<std::string, std::string> last;
  for (const auto& [place, record] : found) {
    EXPECT_LT(last[record.first], record.second) << "by partition and offset";
    last[record.first] = record.second;
  }
}

TEST_F(LogWriterTest, NothingIsNothing) {
  start();
  const auto written = writer_->write("events", {});
  EXPECT_EQ(written.outcome, Outcome::kAcknowledged);
  EXPECT_TRUE(written.receipts.empty());
}

TEST_F(LogWriterTest, PastItsBoundItTakesNothing) {
  start({.silence_max = milliseconds(60'000), .bytes_max = 1000});
  ASSERT_EQ(write("k", "warm"), Outcome::kAcknowledged);
  kafka_.set_round_trip(1, milliseconds(5'000));
  auto first = std::async(std::launch::async, [&] { return write("k", std::string(900, 'x')); });
  wait_in_flight(1);
  EXPECT_EQ(write("k", std::string(200, 'y')), Outcome::kFull);
  EXPECT_EQ(first.get(), Outcome::kAcknowledged);
  kafka_.set_round_trip(1, milliseconds(0));
  EXPECT_EQ(write("k", std::string(200, 'y')), Outcome::kAcknowledged);
  wait_in_flight(0);
}

TEST_F(LogWriterTest, WhileKafkaIsSilentOthersNeedNotWait) {
  start({.deadline = milliseconds(10'000), .silence_max = milliseconds(200)});
  ASSERT_EQ(write("k", "before"), Outcome::kAcknowledged);
  kafka_.stop_broker(1);
  auto first = std::async(std::launch::async, [&] {
    return writer_->write("events", batch_of({{"k", "lost"}}));
  });
  EXPECT_TRUE(kafka::until([&] { return !health_.is_ready(); }));
  EXPECT_EQ(write("k", "refused"), Outcome::kBehind);
  EXPECT_TRUE(health_.reasons().starts_with("kafka: ")) << health_.reasons();
  const auto written = first.get();
  EXPECT_EQ(written.outcome, Outcome::kFailed);
  EXPECT_TRUE(written.error->retryable());
  EXPECT_FALSE(written.receipts[0].acknowledged);
  kafka_.start_broker(1);
  EXPECT_TRUE(kafka::until([&] { return write("k", "after") == Outcome::kAcknowledged; }));
  EXPECT_TRUE(kafka::until([&] { return health_.is_ready(); })) << health_.reasons();
}

TEST_F(LogWriterTest, WhatKafkaRefusesIsSaidAndTheNextIsTaken) {
  start();
  ASSERT_EQ(write("k", "before"), Outcome::kAcknowledged);
  kafka_.fail_next(searchsync::testing::MockKafka::Api::kProduce, {kMessageTooLarge});
  const auto written = writer_->write("events", batch_of({{"k", "large"}}));
  EXPECT_EQ(written.outcome, Outcome::kFailed);
  EXPECT_FALSE(written.error->retryable());
  EXPECT_TRUE(kafka::until([&] { return write("k", "after") == Outcome::kAcknowledged; }));
}

TEST_F(LogWriterTest, AProducerThatLostItsPlaceIsReplaced) {
  start({.deadline = milliseconds(2'000)});
  ASSERT_EQ(write("k", "before"), Outcome::kAcknowledged);
  kafka_.fail_next(searchsync::testing::MockKafka::Api::kProduce,
                   {kOutOfOrderSequence, kOutOfOrderSequence, kOutOfOrderSequence});
  (void)write("k", "fenced");
  EXPECT_TRUE(kafka::until([&] { return write("k", "after") == Outcome::kAcknowledged; }));
}

}  // namespace
}  // namespace searchsync::ingest
