#include "operator/dlq/desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/kafka/producer.h"
#include "lib/kafka/read_ranges.h"
#include "lib/model/pipeline.h"
#include "lib/testing/mock_kafka.h"
#include "worker/core/fold.h"
#include "worker/core/message.h"

namespace searchsync::dlq {
namespace {

using dead_letters::Letter;
using dead_letters::Place;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Outcome::Kind;

constexpr int32_t kPartitions = 2;

model::SourceBinding binding(std::string name, model::Relation relation) {
  model::SourceBinding made;
  made.metadata.name = std::move(name);
  made.spec.source =
      model::KafkaSource{.topic = made.metadata.name, .format = model::RecordFormat::kJson};
  made.spec.key = {"id"};
  made.spec.relation = std::move(relation);
  made.spec.fields = {{"id", "id"}};
  return made;
}

Place at(int64_t offset) {
  return {Partition(0), Offset(offset)};
}

// An index of runs with owners: its topics, and the letters that are forged into them.
class DeskTest : public ::testing::Test {
 protected:
  DeskTest() {
    index_.metadata.name = "runs";
    index_.spec.kafka.bootstrap_servers = cluster_.config().bootstrap_servers;
    index_.spec.workers.partitions = kPartitions;
    letters_ = model::dead_letter_topic(index_);
    log_ = model::document_log_name(index_, bindings_);
    cluster_.create_topic("run", 1);
    cluster_.create_topic("owner", 1);
    cluster_.create_topic(letters_, 1);
    cluster_.create_topic(log_, kPartitions);
    auto made = kafka::Producer::create(cluster_.config(), {}, [](const kafka::Delivery&) {});
    producer_ = std::move(*made);
  }

  void produce(const std::string& topic, std::optional<std::string_view> key,
               std::optional<std::string_view> value,
               const std::vector<kafka::Header>& headers = {}) {
    ASSERT_TRUE(producer_->send(topic, Partition(0), key, value, headers, 0));
    ASSERT_TRUE(producer_->flush(std::chrono::seconds(20)));
  }

  void letter(std::string_view stage, std::string_view of, int64_t offset, std::string_view key,
              std::string_view value) {
    const Letter made{.stage = stage,
                      .binding = of,
                      .topic = of.empty() ? std::string_view(log_) : of,
                      .partition = Partition(0),
                      .offset = Offset(offset),
                      .log = log_,
                      .reason = "a reason"};
    std::vector<std::string> numbers;
    produce(letters_, key, value, headers_of(made, numbers));
  }

  std::unique_ptr<Desk> open() {
    auto desk = Desk::open(index_, bindings_, model::FolderSecrets(std::nullopt));
    EXPECT_TRUE(desk) << desk.error().message;
    return std::move(*desk);
  }

  // Of those that are open now, oldest first.
  std::vector<Place> places(const std::optional<std::string>& of = {}) {
    const auto listing = open()->list(of, 100);
    EXPECT_TRUE(listing);
    std::vector<Place> all;
    for (const auto& one : listing->letters) all.insert(all.begin(), one.place);
    EXPECT_EQ(listing->total, static_cast<int64_t>(all.size()));
    return all;
  }

  std::vector<Kind> replay(const Selection& selection) {
    auto replayed = open()->replay(selection);
    EXPECT_TRUE(replayed) << replayed.error().message;
    outcomes_ = replayed->outcomes;
    std::vector<Kind> kinds;
    for (const auto& outcome : outcomes_) kinds.push_back(outcome.kind);
    return kinds;
  }

  struct Logged {
    worker::MessageKind kind;
    std::string key;
    worker::Position position;
    std::optional<std::string> row;
  };
  std::vector<Logged> logged() {
    std::vector<kafka::OffsetRange> ranges;
    for (int32_t p = 0; p < kPartitions; ++p) {
      ranges.push_back({{log_, Partition(p)}, Offset(0), Offset(1000)});
    }
    std::vector<Logged> all;
    const auto read = kafka::read_ranges(
        cluster_.config(), ranges, std::chrono::seconds(20), [&](const kafka::Message& record) {
          const auto message = worker::decode(record.key.value_or(""), record.value,
                                              record.header(worker::kMetaHeader.data()));
          EXPECT_TRUE(message);
          EXPECT_EQ(record.partition,
                    worker::partition_of(message->binding, message->key, kPartitions));
          all.push_back({message->kind, std::string(message->key), message->position,
                         message->row.transform([](auto text) { return std::string(text); })});
          return kafka::Reading::kGoesOn;
        });
    EXPECT_TRUE(read);
    std::ranges::sort(all, {}, &Logged::key);
    return all;
  }

  testing::MockKafka cluster_;
  model::SearchIndex index_;
  std::vector<model::SourceBinding> bindings_ = {
      binding("owner", model::LookupRelation{.of = "root", .from = {"owner"}}),
      binding("run", model::RootRelation{})};
  std::string letters_;
  std::string log_;
  std::unique_ptr<kafka::Producer> producer_;
  std::vector<Outcome> outcomes_;
};

TEST_F(DeskTest, ListsTheNewestFirst) {
  EXPECT_THAT(places(), ElementsAre());
  for (int i = 0; i < 3; ++i) letter("decode", "run", i, "k", "v");
  letter("decode", "owner", 7, "k", "v");
  letter("decode", "run", 3, "k", "v");
  const auto desk = open();
  const auto two = desk->list({}, 2);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->total, 5);
  ASSERT_EQ(two->letters.size(), 2u);
  EXPECT_EQ(two->letters[0].place, at(4));
  EXPECT_EQ(two->letters[0].offset, Offset(3));
  EXPECT_EQ(two->letters[1].binding, "owner");
  EXPECT_THAT(places("run"), ElementsAre(at(0), at(1), at(2), at(4)));
  const auto of_run = desk->list("run", 2);
  ASSERT_EQ(of_run->letters.size(), 2u);
  EXPECT_EQ(of_run->letters[1].place, at(2));
  EXPECT_EQ(of_run->total, 4);
  const auto unknown = desk->list("runs", 2);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no binding runs, but owner, run"));
}

TEST_F(DeskTest, ShowsWhatIsOpen) {
  letter("decode", "run", 3, "k", "\xff");
  const auto shown = open()->show(at(0));
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->value, "\xff");
  for (const auto& place : {at(1), Place{Partition(1), Offset(0)}}) {
    const auto missing = open()->show(place);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  }
}

TEST_F(DeskTest, WhatIsDroppedIsOpenNoMore) {
  for (int i = 0; i < 4; ++i) letter("decode", i == 2 ? "owner" : "run", i, "k", "v");
  EXPECT_EQ(open()->drop({.places = {at(1), at(0), at(1)}, .binding = {}}), 2);
  EXPECT_THAT(places(), ElementsAre(at(2), at(3)));
  const auto again = open()->drop({.places = {at(3), at(1)}, .binding = {}});
  ASSERT_FALSE(again) << "nothing is dropped if one is not there";
  EXPECT_THAT(again.error().message, HasSubstr("0/1"));
  EXPECT_EQ(open()->drop({.places = {}, .binding = "owner"}), 1);
  EXPECT_THAT(places(), ElementsAre(at(3)));
  letter("decode", "run", 9, "k", "v");
  EXPECT_EQ(open()->drop({}), 2);
  EXPECT_THAT(places(), ElementsAre());
}

TEST_F(DeskTest, ARecordIsReplayedAsItsRow) {
  produce("run", "k", R"({"id":1})");
  produce("run", "k", R"({"id":2})");
  produce("run", "k", R"({"id":1,"n":2})");
  letter("decode", "run", 0, "k", R"({"id":1})");
  letter("decode", "run", 1, "k", R"({"id":2})");
  letter("decode", "run", 7, "k", "never was");
  EXPECT_THAT(replay({}), ElementsAre(Kind::kOlder, Kind::kReplayed, Kind::kKept));
  const auto rows = logged();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].kind, worker::MessageKind::kRow);
  EXPECT_EQ(rows[0].key, "2");
  EXPECT_EQ(rows[0].position, (worker::Position{0, 1}));
  EXPECT_EQ(rows[0].row, R"({"id":2})");
  EXPECT_THAT(places(), ElementsAre(at(2)));
}

TEST_F(DeskTest, ADeletionIsReplayedToo) {
  produce("run", "5", std::nullopt);
  std::vector<std::string> numbers;
  produce(letters_, "5", std::nullopt,
          headers_of(Letter{.stage = "decode", .binding = "run", .topic = "run", .log = log_},
                     numbers));
  EXPECT_THAT(replay({.places = {at(0)}, .binding = {}}), ElementsAre(Kind::kReplayed));
  const auto rows = logged();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, "5");
  EXPECT_EQ(rows[0].row, std::nullopt);
}

TEST_F(DeskTest, ADocumentIsTouchedOnce) {
  letter("index", "", 3, "1", "{}\n{}\n");
  letter("index", "", 4, "1", "{}\n{}\n");
  letter("index", "", 4, "2", "{}\n{}\n");
  EXPECT_THAT(replay({.places = {}, .binding = ""}),
              ElementsAre(Kind::kReplayed, Kind::kReplayed, Kind::kReplayed));
  const auto touches = logged();
  ASSERT_EQ(touches.size(), 2u);
  for (const auto& touch : touches) EXPECT_EQ(touch.kind, worker::MessageKind::kTouch);
  EXPECT_EQ(touches[0].key, "1");
  EXPECT_EQ(touches[1].key, "2");
  EXPECT_THAT(places(), ElementsAre());
}

TEST_F(DeskTest, WhatCannotBeReplayedStaysAndSaysWhy) {
  produce("run", "k", "not JSON");
  letter("decode", "run", 0, "k", "not JSON");
  letter("decode", "gone", 0, "k", "v");
  letter("fold", "run", 0, "k", "v");
  letter("", "", 0, "k", "v");
  EXPECT_THAT(replay({}), ElementsAre(Kind::kKept, Kind::kKept, Kind::kKept, Kind::kKept));
  EXPECT_THAT(outcomes_[0].why, HasSubstr("still cannot be read"));
  EXPECT_THAT(outcomes_[1].why, HasSubstr("no binding gone"));
  EXPECT_THAT(outcomes_[2].why, HasSubstr("another generation"));
  EXPECT_THAT(outcomes_[3].why, HasSubstr("not written by SearchSync"));
  EXPECT_THAT(logged(), ElementsAre());
  EXPECT_EQ(places().size(), 4u);
}

TEST_F(DeskTest, WithoutALogNothingIsReplayed) {
  letter("index", "", 3, "1", "{}\n{}\n");
  bindings_[0].spec.key = {"another"};
  const auto replayed = open()->replay({});
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(replayed.error().message, HasSubstr("does not exist"));
  EXPECT_THAT(places(), ElementsAre(at(0)));
}

TEST_F(DeskTest, SaysWhatIsNotThere) {
  index_.metadata.name = "others";
  const auto never_run = Desk::open(index_, bindings_, model::FolderSecrets(std::nullopt));
  ASSERT_FALSE(never_run);
  EXPECT_THAT(never_run.error().message, HasSubstr("searchsync.default.others.dead-letters"));
  cluster_.stop_broker(1);
  const auto away = Desk::open(index_, bindings_, model::FolderSecrets(std::nullopt));
  ASSERT_FALSE(away);
  EXPECT_THAT(away.error().message,
              HasSubstr("no broker reachable at " + index_.spec.kafka.bootstrap_servers[0]));
}

}  // namespace
}  // namespace searchsync::dlq
