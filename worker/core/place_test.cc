#include "worker/core/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <tuple>

#include "worker/core/test_bindings.h"
#include "worker/core/worker.h"

namespace searchsync::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BindingId kOwner = 0, kRun = 1;  // in order of name

Result<model::Pipeline> pipeline(model::PartitioningSpec spec) {
  const std::vector<model::SourceBinding> bindings = {
      binding("owner", model::LookupRelation{.of = "root", .from = {"owner"}}, {{"name", "owner"}}),
      binding("run", model::RootRelation{}, {{"at", "at"}, {"store", "store"}})};
  model::SearchIndex index;
  index.spec.partitioning = std::move(spec);
  return model::compile(index, bindings);
}

int64_t at(std::string_view text) {
  return model::read_time(text).value_or(-1);
}

Place place(std::string_view day, std::string routing = "") {
  return {*model::parse_period(model::Every::kDay, day), std::move(routing)};
}

TEST(PlaceOf, IsThatOfTheRowsTimeAndRouting) {
  const auto compiled = pipeline({.field = "at", .routing = "store"});
  ASSERT_TRUE(compiled.has_value());
  const std::tuple<const char*, std::optional<Place>> cases[] = {
      {R"({"at":"2026-11-29T23:59:59.9Z","store":"s1"})", place("2026-11-29", "s1")},
      {R"({"at":"2026-11-29T23:30:00-01:00","store":7})", place("2026-11-30", "7")},
      {R"({"at":"2026-11-29","store":null})", place("2026-11-29")},
      {R"({"at":1795953600000,"store":["s1"]})", std::nullopt},
      {R"({"at":-1})", place("1969-12-31")},
      {R"({"at":null})", std::nullopt},
      {R"({"store":"s1"})", std::nullopt},
      {R"({"at":"yesterday"})", std::nullopt},
      {R"({"at":1795953600000.5})", std::nullopt},
      {R"({"at":9223372036854775807})", std::nullopt},
      {R"({"at":true})", std::nullopt},
  };
  Projector projector(compiled->binding(kRun));
  for (const auto& [row, want] : cases) {
    std::string bytes;
    ASSERT_TRUE(projector.project(row, bytes).has_value()) << row;
    TupleView tuple;
    tuple.parse(bytes);
    EXPECT_EQ(place_of(*compiled->partitioning, tuple), want) << row;
  }
}

TEST(PlaceOf, OnlyAFieldOfTheRootWillDo) {
  for (const auto& spec : {model::PartitioningSpec{.field = "owner"},
                           model::PartitioningSpec{.field = "at", .routing = "nowhere"}}) {
    const auto compiled = pipeline(spec);
    ASSERT_FALSE(compiled.has_value());
    EXPECT_THAT(compiled.error().message, HasSubstr("is no field of the root binding"));
  }
}

TEST(Left, IsReadAsItWasWritten) {
  const auto left = decode_left(
      encode_left({{place("2026-11-29", "s1"), Offset(5)}, {place("1969-12-31"), Offset(7)}}));
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].place, place("2026-11-29", "s1"));
  EXPECT_EQ(left[0].since, Offset(5));
  EXPECT_EQ(left[1].place, place("1969-12-31"));
  EXPECT_EQ(left[1].since, Offset(7));
}

// One partition of an index that keeps two days, and its log: at offset 0 it begins to write.
class PlacedWorkerTest : public testing::Test {
 protected:
  PlacedWorkerTest() {
    start(Offset(0));
    apply(encode_begin(Generation(1)));
    while (worker_->fan_out(10)) {
    }
  }

  void start(Offset committed) {
    worker_ = std::make_unique<PartitionWorker>(
        pipeline_,
        PartitionWorker::Options{.partition = Partition(0),
                                 .log_retention = std::chrono::hours(72)},
        store_);
    worker_->start({.identity = "log",
                    .committed = committed,
                    .end = Offset(static_cast<int64_t>(log_.size())),
                    .now_ms = 0,
                    .oldest_usable_ms = 0});
  }

  Work apply(const EncodedMessage& message) {
    log_.push_back(message);
    return replay(log_.size() - 1);
  }
  Work replay(size_t offset) {
    const auto& message = log_[offset];
    const LogRecord record{
        .offset = Offset(static_cast<int64_t>(offset)),
        .key = message.key,
        .value = message.value,
        .meta = message.value ? std::optional<std::string_view>() : message.meta};
    return worker_->apply({&record, 1});
  }
  Work run(std::optional<std::string_view> row) {
    return apply(encode({.kind = MessageKind::kRow,
                         .binding = kRun,
                         .key = "1",
                         .position = {0, ++position_},
                         .row = row}));
  }

  std::optional<Write> write() { return worker_->write("1", 0, now_ms_); }
  void finish(const Work& work) { worker_->acknowledge(work.batch, work.pieces()); }

  const model::Pipeline pipeline_ =
      *pipeline({.field = "at", .retain = std::chrono::hours(48), .routing = "store"});
  MemoryStore store_;
  std::unique_ptr<PartitionWorker> worker_;
  std::vector<EncodedMessage> log_;
  uint64_t position_ = 0;
  int64_t now_ms_ = at("2026-11-29T12:00:00Z");
};

TEST_F(PlacedWorkerTest, ADocumentIsWrittenToItsDay) {
  run(R"({"id":1,"at":"2026-11-28T10:00:00Z","store":"s1"})");
  const auto made = write();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->place, place("2026-11-28", "s1"));
  EXPECT_EQ(made->document, R"({"at":"2026-11-28T10:00:00Z","store":"s1","owner":null})");
  EXPECT_THAT(made->left, IsEmpty());
}

TEST_F(PlacedWorkerTest, OneThatMovesLeavesItsFormerPlaceUntilThatIsDone) {
  finish(run(R"({"id":1,"at":"2026-11-28","store":"s1"})"));
  const auto moved = run(R"({"id":1,"at":"2026-11-29","store":"s1"})");
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto made = write();
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->place, place("2026-11-29", "s1"));
    EXPECT_THAT(made->left, ElementsAre(place("2026-11-28", "s1")));
  }
  finish(moved);
  EXPECT_THAT(write()->left, IsEmpty());
}

TEST_F(PlacedWorkerTest, AnotherRoutingIsAnotherPlace) {
  finish(run(R"({"id":1,"at":"2026-11-28","store":"s1"})"));
  run(R"({"id":1,"at":"2026-11-28","store":"s2"})");
  EXPECT_EQ(write()->place, place("2026-11-28", "s2"));
  EXPECT_THAT(write()->left, ElementsAre(place("2026-11-28", "s1")));
}

TEST_F(PlacedWorkerTest, OneThatComesBackDoesNotLeave) {
  run(R"({"id":1,"at":"2026-11-28"})");
  run(R"({"id":1,"at":"2026-11-29"})");
  run(R"({"id":1,"at":"2026-11-28"})");
  EXPECT_EQ(write()->place, place("2026-11-28"));
  EXPECT_THAT(write()->left, ElementsAre(place("2026-11-29")));
}

TEST_F(PlacedWorkerTest, ADeletedDocumentLeavesItsPlace) {
  finish(run(R"({"id":1,"at":"2026-11-28"})"));
  const auto deleted = run(std::nullopt);
  const auto made = write();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->place, std::nullopt);
  EXPECT_EQ(made->document, std::nullopt);
  EXPECT_THAT(made->left, ElementsAre(place("2026-11-28")));
  finish(deleted);
  EXPECT_EQ(write(), std::nullopt) << "there is nothing left to do";
}

// The move is not committed: the state that has to be made anew knows of it all the same.
TEST_F(PlacedWorkerTest, TheFormerPlaceIsKnownWithoutState) {
  finish(run(R"({"id":1,"at":"2026-11-28"})"));
  const Offset committed = worker_->committable();
  EXPECT_EQ(committed, Offset(2));
  run(R"({"id":1,"at":"2026-11-29"})");
  store_.clear();
  start(committed);
  for (size_t i = 0; i < log_.size(); ++i) replay(i);
  EXPECT_THAT(write()->left, ElementsAre(place("2026-11-28")));
  store_.clear();
  start(Offset(3));
  for (size_t i = 0; i < log_.size(); ++i) replay(i);
  EXPECT_THAT(write()->left, IsEmpty()) << "it is committed, so it was deleted there";
}

// Another worker has done more than this state knows of, and the document has come back meanwhile:
// it must not be deleted where it is.
TEST_F(PlacedWorkerTest, WhatOthersHaveFinishedIsForgotten) {
  log_.clear();
  store_.clear();
  start(Offset(0));
  run(R"({"id":1,"at":"2026-11-28"})");
  run(R"({"id":1,"at":"2026-11-29"})");
  log_.push_back(encode({.kind = MessageKind::kRow,
                         .binding = kRun,
                         .key = "1",
                         .position = {0, ++position_},
                         .row = R"({"id":1,"at":"2026-11-28"})"}));
  start(Offset(3));
  replay(2);
  apply(encode_begin(Generation(1)));
  ASSERT_TRUE(worker_->fan_out(10).has_value());
  EXPECT_EQ(write()->place, place("2026-11-28"));
  EXPECT_THAT(write()->left, IsEmpty());
}

TEST_F(PlacedWorkerTest, OneThatWaitsLeavesItsFormerPlaceAtOnce) {
  finish(run(R"({"id":1,"at":"2026-11-28"})"));
  run(R"({"id":1,"at":"2026-11-29","owner":7})");
  const auto waiting = write();
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->place, std::nullopt);
  EXPECT_THAT(waiting->left, ElementsAre(place("2026-11-28")));
  apply(encode({.kind = MessageKind::kLookup, .binding = kOwner, .key = "7", .position = {0, 9}}));
  EXPECT_EQ(write()->place, place("2026-11-29"));
}

TEST_F(PlacedWorkerTest, WhatIsOlderThanTheRetentionIsNotWritten) {
  run(R"({"id":1,"at":"2026-11-27T00:00:00Z"})");
  now_ms_ = at("2026-11-29T23:59:59.999Z");
  EXPECT_TRUE(write().has_value()) << "the day ended less than 48 hours ago";
  EXPECT_EQ(worker_->expired(), 0U);
  now_ms_ += 1;
  EXPECT_EQ(write(), std::nullopt);
  EXPECT_EQ(worker_->expired(), 1U);
}

TEST_F(PlacedWorkerTest, WhatHasNoPlaceIsRefusedAndLeavesItsFormerOne) {
  finish(run(R"({"id":1,"at":"2026-11-28"})"));
  const auto nowhere = run(R"({"id":1,"at":"soon"})");
  const auto made = write();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->document, std::nullopt);
  EXPECT_EQ(made->refused, R"(it has no time: "soon")");
  EXPECT_THAT(made->left, ElementsAre(place("2026-11-28")));
  finish(nowhere);
  run(R"({"id":1,"at":"2026-12-01T00:00:00Z"})");
  EXPECT_THAT(write()->refused, HasSubstr("too far ahead"));
  now_ms_ = at("2026-11-30T00:00:00Z");
  EXPECT_EQ(write()->refused, "");
  EXPECT_EQ(write()->place, place("2026-12-01"));
}

// The log keeps rows for a day longer than this generation has partitions.
TEST_F(PlacedWorkerTest, RowsThatNoGenerationHasAreDeletedFromTheLog) {
  finish(run(R"({"id":1,"at":"2026-11-25T23:59:59Z"})"));
  now_ms_ = at("2026-11-29T00:05:00Z");
  ASSERT_TRUE(worker_->clean_up(10, now_ms_).has_value());
  EXPECT_EQ(worker_->clean_up(10, now_ms_), std::nullopt) << "all rows have been looked at";
  now_ms_ = at("2026-11-29T00:10:00Z");
  const auto work = worker_->clean_up(10, now_ms_);
  ASSERT_TRUE(work.has_value());
  ASSERT_EQ(work->sends.size(), 1U);
  EXPECT_EQ(worker_->committable(), Offset(2)) << "it is not lost before it is sent";
  finish(*work);
  const auto message =
      decode(work->sends[0].message.key, std::nullopt, work->sends[0].message.meta);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->row, std::nullopt);
  EXPECT_EQ(message->position, (Position{0, 1})) << "that of the row";
  apply(work->sends[0].message);
  EXPECT_EQ(write(), std::nullopt);
  now_ms_ = at("2026-12-05T00:00:00Z");
  EXPECT_THAT(worker_->clean_up(10, now_ms_)->sends, IsEmpty());
}

TEST_F(PlacedWorkerTest, AChangeWinsOverTheDeletionOfWhatItReplaces) {
  run(R"({"id":1,"at":"2026-11-25"})");
  const auto work = worker_->clean_up(10, now_ms_);
  ASSERT_EQ(work->sends.size(), 1U);
  run(R"({"id":1,"at":"2026-11-28"})");
  const auto again = apply(work->sends[0].message);
  ASSERT_EQ(again.sends.size(), 1U) << "compaction would keep only the deletion";
  EXPECT_EQ(write()->place, place("2026-11-28"));
}

TEST_F(PlacedWorkerTest, ADuplicateThatComesLaterIsDeletedAgain) {
  run(R"({"id":1,"at":"2026-11-25"})");
  const auto work = worker_->clean_up(10, now_ms_);
  apply(work->sends.at(0).message);
  --position_;
  const auto again = run(R"({"id":1,"at":"2026-11-25"})");
  ASSERT_EQ(again.sends.size(), 1U);
  EXPECT_EQ(again.sends[0].message.value, std::nullopt);
  EXPECT_THAT(apply(again.sends[0].message).sends, IsEmpty()) << "once";
}

TEST_F(PlacedWorkerTest, OnlyWhoLeadsCleansUp) {
  run(R"({"id":1,"at":"2026-11-25"})");
  apply(encode_lead(Generation(2)));
  EXPECT_EQ(worker_->clean_up(10, now_ms_), std::nullopt);
}

}  // namespace
}  // namespace searchsync::worker
