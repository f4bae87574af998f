#include "worker/core/worker.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "worker/core/test_bindings.h"
#include "worker/core/version.h"

namespace searchsync::worker {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr int64_t kNowMs = 1'795'953'600'000;        // 2026-11-29T12:00Z
constexpr BindingId kBug = 0, kOwner = 1, kRun = 2;  // in order of name

model::Pipeline pipeline() {
  const std::vector<model::SourceBinding> bindings = {
      binding("bug", model::ChildrenRelation{.from = {"run"}, .into = "bugs"}, {{"id", "id"}}),
      binding("owner", model::LookupRelation{.of = "root", .from = {"owner"}}, {{"name", "owner"}}),
      binding("run", model::RootRelation{}, {{"n", "n", model::FieldType::kNumber}})};
  auto compiled = model::compile(model::SearchIndex{}, bindings);
  EXPECT_TRUE(compiled.has_value());
  return std::move(*compiled);
}

// One partition, and the log that it reads: at offset 0 generation 1 begins to write.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    start(Generation(1));
    apply(encode_begin(Generation(1)));
    EXPECT_THAT(written_all(), SizeIs(0));
  }

  void start(Generation generation, Offset committed = Offset(0), int64_t oldest_usable_ms = 0) {
    worker_ = std::make_unique<PartitionWorker>(
        pipeline_, PartitionWorker::Options{.partition = Partition(0), .generation = generation},
        store_);
    worker_->start({.identity = "log",
                    .committed = committed,
                    .end = next_,
                    .now_ms = 1'000'000,
                    .oldest_usable_ms = oldest_usable_ms});
  }

  Work apply(const EncodedMessage& message, int64_t timestamp_ms = 1'000'000) {
    const LogRecord record{.offset = next_,
                           .key = message.key,
                           .value = message.value,
                           .meta = message.value ? std::optional<std::string_view>() : message.meta,
                           .timestamp_ms = timestamp_ms};
    next_ = Offset(next_.get() + 1);
    return worker_->apply({&record, 1});
  }

  Work apply(const Message& message) { return apply(encode(message)); }

  // In one call.
  Work apply(const std::vector<EncodedMessage>& messages) {
    std::vector<LogRecord> records;
    for (const auto& message : messages) {
      records.push_back({.offset = next_,
                         .key = message.key,
                         .value = message.value,
                         .meta = message.meta,
                         .timestamp_ms = 1'000'000});
      next_ = Offset(next_.get() + 1);
    }
    return worker_->apply(records);
  }

  // The write of the one document that was touched.
  std::optional<Write> written(const Work& work) {
    if (work.touched.size() != 1) {
      ADD_FAILURE() << work.touched.size() << " documents touched";
      return std::nullopt;
    }
    return worker_->write(work.touched[0].root, work.touched[0].changed_at_us, kNowMs);
  }

  // The documents of the first pass; each is acknowledged.
  std::vector<std::string> written_all() {
    std::vector<std::string> roots;
    while (const auto work = worker_->fan_out(1)) {
      for (const auto& touch : work->touched) roots.push_back(touch.root);
      if (work->pieces() > 0) worker_->acknowledge(work->batch, work->pieces());
    }
    return roots;
  }

  // What the worker sends, and appends to its own log.
  static Message read(const Send& send) {
    const auto& message = send.message;
    auto decoded = decode(message.key, message.value,
                          message.value ? std::optional<std::string_view>() : message.meta);
    EXPECT_TRUE(decoded.has_value());
    return *decoded;
  }

  static Message run(uint64_t position, std::optional<std::string_view> row) {
    return {.kind = MessageKind::kRow,
            .binding = kRun,
            .key = "1",
            .position = {0, position},
            .row = row};
  }

  const model::Pipeline pipeline_ = pipeline();
  MemoryStore store_;
  std::unique_ptr<PartitionWorker> worker_;
  Offset next_{0};  // of the log
};

TEST_F(WorkerTest, TheVersionIsTheGenerationAndTheOffset) {
  next_ = Offset(41);
  const auto work = apply(run(7, R"({"n":1})"));
  const auto write = written(work);
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->root, "1");
  EXPECT_EQ(write->document, R"({"n":1,"owner":null,"bugs":[]})");
  EXPECT_EQ(write->version, (int64_t{1} << 48) + 41);
  const auto deleted = written(apply(run(8, std::nullopt)));
  ASSERT_TRUE(deleted.has_value());
  EXPECT_EQ(deleted->document, std::nullopt);
  EXPECT_EQ(deleted->version, document_version(Generation(1), Offset(42)));
}

TEST_F(WorkerTest, TheLogIsCommittedUpToTheFirstThingUndone) {
  const auto first = apply(run(1, R"({"n":1})"));
  const auto second = apply(run(2, R"({"n":2})"));
  EXPECT_EQ(worker_->committable(), Offset(1));
  worker_->acknowledge(second.batch, second.pieces());
  EXPECT_EQ(worker_->committable(), Offset(1));
  worker_->acknowledge(first.batch, first.pieces());
  EXPECT_EQ(worker_->committable(), Offset(3));
}

TEST_F(WorkerTest, OneWriteDoesForAllThatTouchedTheDocument) {
  const auto first = apply(run(1, R"({"n":1})"));
  const auto second = apply(run(2, R"({"n":2})"));
  const auto write = written(first);
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->document, R"({"n":2,"owner":null,"bugs":[]})");
  EXPECT_EQ(write->version, document_version(Generation(1), Offset(2)));
  EXPECT_EQ(written(second)->version, write->version);
}

TEST_F(WorkerTest, ATouchWritesTheDocumentAgainAsItIs) {
  const auto touch = [&](BindingId binding, std::string_view root) {
    return apply({.kind = MessageKind::kTouch, .binding = binding, .key = root});
  };
  worker_->acknowledge(apply(run(2, R"({"n":2})")).batch);
  EXPECT_EQ(apply(run(1, R"({"n":1})")).touched.size(), 0u) << "it is older";
  const auto write = written(touch(kRun, "1"));
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->document, R"({"n":2,"owner":null,"bugs":[]})");
  EXPECT_EQ(write->version, document_version(Generation(1), Offset(3)));
  EXPECT_EQ(written(touch(kRun, "2")), std::nullopt) << "there never was such a root";
  EXPECT_EQ(touch(kBug, "1").pieces(), 0u) << "it is no root";
}

TEST_F(WorkerTest, WhatWasUnderWayIsGivenOutAgain) {
  const auto first = apply(run(1, R"({"n":1})"));
  apply(run(2, R"({"n":2})"));
  worker_->acknowledge(first.batch);
  start(Generation(1));
  const auto again = worker_->resume();
  ASSERT_THAT(again, SizeIs(1));
  const auto write = written(again[0]);
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->document, R"({"n":2,"owner":null,"bugs":[]})");
  EXPECT_EQ(write->version, document_version(Generation(1), Offset(2)));
  EXPECT_EQ(worker_->committable(), Offset(2));
  worker_->acknowledge(again[0].batch);
  EXPECT_EQ(worker_->committable(), Offset(3));
}

// A row that many documents use is changed more often than all of them can be touched.
TEST_F(WorkerTest, ABusyRowDoesNotHoldUpAnother) {
  for (int i = 0; i < 200; ++i) {
    const auto number = std::to_string(i);
    const auto row = fmt::format(R"({{"n":1,"owner":"{}"}})", i < 100 ? "a" : "z");
    apply({.kind = MessageKind::kRow,
           .binding = kRun,
           .key = number,
           .position = {0, 1},
           .row = row});
  }
  uint64_t position = 1;
  const auto change = [&](std::string_view owner) {
    apply({.kind = MessageKind::kLookup,
           .binding = kOwner,
           .key = owner,
           .position = {0, ++position},
           .row = fmt::format(R"({{"name":"{}"}})", position)});
  };
  change("a");
  change("z");
  std::set<std::string> touched;
  for (int i = 0; i < 20; ++i) {
    change("a");
    const auto work = worker_->fan_out(50);
    ASSERT_TRUE(work.has_value());
    for (const auto& touch : work->touched) touched.insert(touch.root);
  }
  EXPECT_THAT(touched, SizeIs(testing::Ge(168))) << "all but those touched at once, 32 of each";
  EXPECT_TRUE(touched.contains("199"));
}

TEST_F(WorkerTest, ANewGenerationWritesNothingUntilItIsTold) {
  store_.clear();
  next_ = Offset(0);
  start(Generation(1));
  const auto asked = apply(run(1, R"({"n":1,"owner":"o"})"));
  EXPECT_THAT(asked.sends, SizeIs(1));
  EXPECT_EQ(apply(run(2, R"({"n":2})")).pieces(), 0u);
  EXPECT_FALSE(worker_->fanning_out());
  apply(encode_begin(Generation(2)));
  EXPECT_FALSE(worker_->fanning_out()) << "another one is told";
  EXPECT_EQ(worker_->committable(), Offset(0)) << "the question is not sent yet";
  worker_->acknowledge(asked.batch);
  EXPECT_EQ(worker_->committable(), Offset(3));

  apply(encode_begin(Generation(1)));
  const auto changed = apply(run(3, R"({"n":3})"));
  EXPECT_THAT(changed.touched, SizeIs(1));
  worker_->acknowledge(changed.batch);
  EXPECT_EQ(worker_->committable(), Offset(3)) << "not every document is written";
  const auto work = worker_->fan_out(10);
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(written(*work)->document, R"({"n":3,"owner":null,"bugs":[]})");
  worker_->acknowledge(work->batch);
  EXPECT_EQ(worker_->committable(), Offset(5));
}

TEST_F(WorkerTest, WhoFindsTheBeginningCommittedNeedNotWriteAllAgain) {
  const auto work = apply(run(1, R"({"n":1})"));
  worker_->acknowledge(work.batch);
  ASSERT_EQ(worker_->committable(), next_);
  store_.clear();
  start(Generation(1), Offset(2));
  next_ = Offset(0);
  apply(encode_begin(Generation(1)));
  apply(run(1, R"({"n":1})"));
  EXPECT_THAT(written_all(), SizeIs(0));
  EXPECT_THAT(apply(run(2, R"({"n":2})")).touched, SizeIs(1));
}

TEST_F(WorkerTest, WhoFindsItNotCommittedWritesAll) {
  apply(run(1, R"({"n":1})"));
  store_.clear();
  start(Generation(1));
  next_ = Offset(0);
  apply(encode_begin(Generation(1)));
  EXPECT_FALSE(worker_->fanning_out()) << "before the end of the log it may go through old states";
  EXPECT_EQ(apply(run(1, R"({"n":1})")).touched.size(), 0u);
  EXPECT_EQ(worker_->committable(), Offset(0));
  EXPECT_THAT(written_all(), SizeIs(1));
  EXPECT_EQ(worker_->committable(), Offset(2));
}

TEST_F(WorkerTest, ALateOlderRowMakesTheNewerBeSaidAgain) {
  apply(run(9, R"({"n":9})"));
  const auto late = apply(run(3, R"({"n":3})"));
  EXPECT_THAT(late.touched, SizeIs(0));
  ASSERT_THAT(late.sends, SizeIs(1));
  const auto again = read(late.sends[0]);
  EXPECT_EQ(again.kind, MessageKind::kRow);
  EXPECT_EQ(again.key, "1");
  EXPECT_EQ(again.position, (Position{0, 9}));
  EXPECT_EQ(again.row, R"({"n":9})");
  EXPECT_EQ(late.sends[0].message.key, encode(run(3, "{}")).key);
  // While it is on its way nothing else is said; what comes late after it is another matter.
  EXPECT_EQ(apply(run(4, R"({"n":4})")).pieces(), 0u);
  EXPECT_EQ(apply(late.sends[0].message).pieces(), 0u);
  EXPECT_THAT(apply(run(5, R"({"n":5})")).sends, SizeIs(1));
}

TEST_F(WorkerTest, ALateOlderRowOfADeletedOneMakesTheDeletionBeSaidAgain) {
  apply(run(9, std::nullopt));
  const auto late = apply(run(3, R"({"n":3})"));
  ASSERT_THAT(late.sends, SizeIs(1));
  EXPECT_EQ(read(late.sends[0]).position, (Position{0, 9}));
  EXPECT_EQ(late.sends[0].message.value, std::nullopt);
}

TEST_F(WorkerTest, ALateChildIsAskedForAtItsOwner) {
  const Message row{.kind = MessageKind::kRow,
                    .binding = kBug,
                    .key = "b",
                    .position = {0, 1},
                    .row = R"({"id":"b","run":1})"};
  const auto sent = apply(row);
  ASSERT_THAT(sent.sends, SizeIs(1));
  const auto child = read(sent.sends[0]);
  EXPECT_EQ(child.kind, MessageKind::kChild);
  EXPECT_EQ(child.root, "1");
  EXPECT_EQ(child.position, (Position{0, 2}));  // one more than the row's offset
  apply(sent.sends[0].message);

  Message older = child;
  older.position = {0, 0};
  older.row.reset();
  const auto late = apply(older);
  EXPECT_THAT(late.touched, SizeIs(0));
  ASSERT_THAT(late.sends, SizeIs(1));
  EXPECT_EQ(read(late.sends[0]).kind, MessageKind::kRepeat);

  const auto answered = apply(late.sends[0].message);
  ASSERT_THAT(answered.sends, SizeIs(1));
  const auto again = read(answered.sends[0]);
  EXPECT_EQ(again.kind, MessageKind::kChild);
  EXPECT_EQ(again.position, (Position{0, 5}));
  EXPECT_EQ(again.row, row.row);
  EXPECT_EQ(answered.sends[0].message.key, sent.sends[0].message.key);
}

TEST_F(WorkerTest, ALateAnswerToALookupIsAskedForAgain) {
  const auto sent = apply(run(1, R"({"n":1,"owner":"o"})"));
  EXPECT_FALSE(written(sent).has_value());  // the owner is not known
  ASSERT_THAT(sent.sends, SizeIs(1));
  EXPECT_EQ(read(sent.sends[0]).kind, MessageKind::kSubscribe);
  const Message answer{.kind = MessageKind::kLookup,
                       .binding = kOwner,
                       .key = "o",
                       .position = {0, 5},
                       .row = R"({"name":"O"})"};
  const auto answered = written(apply(answer));
  ASSERT_TRUE(answered.has_value());
  EXPECT_EQ(answered->document, R"({"n":1,"owner":"O","bugs":[]})");

  Message older = answer;
  older.position = {0, 4};
  older.row.reset();
  const auto late = apply(older);
  EXPECT_THAT(late.touched, SizeIs(0));
  ASSERT_THAT(late.sends, SizeIs(1));
  EXPECT_EQ(late.sends[0].message.key, sent.sends[0].message.key);
}

TEST_F(WorkerTest, OnlyWhoLeadsHasItSaidAgain) {
  apply(run(9, R"({"n":9})"));
  apply(encode_lead(Generation(2)));
  EXPECT_EQ(apply(run(3, R"({"n":3})")).pieces(), 0u);
  apply(encode_lead(Generation(1)));
  EXPECT_THAT(apply(run(3, R"({"n":3})")).sends, SizeIs(1));
}

// The need may come from a late row that compaction has kept instead of the newer one: who led saw
// the newer one first, and asked nothing.
TEST_F(WorkerTest, OnlyWhoLeadsRemembersHavingAskedForALookup) {
  apply(encode_lead(Generation(2)));
  EXPECT_THAT(apply(run(3, R"({"n":3,"owner":"o"})")).sends, SizeIs(0));
  apply(run(9, R"({"n":9})"));
  apply(encode_lead(Generation(1)));
  EXPECT_THAT(apply(run(10, R"({"n":10,"owner":"o"})")).sends, SizeIs(1));
}

TEST_F(WorkerTest, ItTakesOverUntilAllBeforeItsLeadIsDone) {
  const Offset before = next_;
  const auto work = apply(
      {encode(run(1, R"({"n":1})")), encode_lead(Generation(1)), encode(run(2, R"({"n":2})"))});
  EXPECT_EQ(worker_->applied(), Offset(before.get() + 2)) << "what comes behind it waits";
  EXPECT_EQ(worker_->led_at(), Offset(before.get() + 1));
  EXPECT_EQ(worker_->yielded_ms(), 0);
  EXPECT_TRUE(worker_->taking_over());
  worker_->acknowledge(work.batch, work.pieces());
  EXPECT_FALSE(worker_->taking_over());
  next_ = worker_->applied();
  apply(encode_lead(Generation(1)));
  EXPECT_FALSE(worker_->taking_over()) << "there was nothing to do";
}

TEST_F(WorkerTest, BehindALeadOfAnotherNothingIsAppliedInTheSameCall) {
  const Offset before = next_;
  apply(run(1, R"({"n":1})"));
  const auto work = apply(
      {encode(run(2, R"({"n":2})")), encode_lead(Generation(2)), encode(run(3, R"({"n":3})"))});
  EXPECT_EQ(worker_->applied(), Offset(before.get() + 3));
  EXPECT_EQ(worker_->yielded_ms(), 1'000'000);
  EXPECT_FALSE(worker_->taking_over());
  EXPECT_EQ(written(work)->document, R"({"n":2,"owner":null,"bugs":[]})");
  start(Generation(1));
  EXPECT_EQ(worker_->yielded_ms(), 1'000'000) << "it knows after a restart";
  next_ = worker_->applied();
  apply(run(3, R"({"n":3})"));
  EXPECT_EQ(worker_->applied(), next_);
}

TEST_F(WorkerTest, ItKnowsWhoLedBefore) {
  EXPECT_EQ(worker_->leadership(),
            (model::Leadership{.own = Generation(1), .leader = Generation(1)}));
  const Offset at = next_;
  apply(encode_lead(Generation(2)));
  const model::Leadership passed{
      .own = Generation(1), .leader = Generation(2), .since = at, .before = {Generation(1)}};
  EXPECT_EQ(worker_->leadership(), passed);
  apply(encode_lead(Generation(2)));
  EXPECT_EQ(worker_->leadership(), passed);
  start(Generation(1), next_);
  EXPECT_EQ(worker_->leadership(), passed) << "also after a restart";
  store_.erase(StateKeys(Partition(0)).leadership());
  store_.commit();
  start(Generation(1), next_);
  EXPECT_EQ(worker_->leadership(),
            (model::Leadership{.own = Generation(1), .leader = Generation(2)}))
      << "older state does not have it";
}

TEST_F(WorkerTest, WhoDoesNotWriteYetReadsOnBehindALead) {
  store_.clear();
  next_ = Offset(0);
  start(Generation(2));
  apply({encode_lead(Generation(1)), encode_lead(Generation(3)), encode(run(1, R"({"n":1})"))});
  EXPECT_EQ(worker_->applied(), next_);
  EXPECT_EQ(worker_->yielded_ms(), 0);
}

TEST_F(WorkerTest, WhoFollowsNotesTheAnswerToo) {
  apply(run(9, R"({"n":9})"));
  const auto late = apply(run(3, R"({"n":3})"));
  ASSERT_THAT(late.sends, SizeIs(1));
  apply(encode_lead(Generation(2)));
  apply(late.sends[0].message);
  apply(encode_lead(Generation(1)));
  EXPECT_THAT(apply(run(4, R"({"n":4})")).sends, SizeIs(1));
}

TEST_F(WorkerTest, AMalformedRowGoesToTheDeadLetters) {
  for (const auto& [row, reason] : std::map<std::string, std::string>{
           {R"({"n":"many"})", "binding run: column n: the value \"many\" is not a number"},
           {R"({"n":)", "binding run: the row is not a JSON object"}}) {
    const auto offset = next_;
    const auto work = apply(run(static_cast<uint64_t>(offset.get()) + 1, row));
    ASSERT_THAT(work.refused, SizeIs(1));
    EXPECT_EQ(work.refused[0].offset, offset);
    EXPECT_THAT(work.refused[0].reason, HasSubstr(reason));
    EXPECT_EQ(work.refused[0].key, encode(run(1, "{}")).key);
    const auto write = written(work);
    ASSERT_TRUE(write.has_value());
    EXPECT_EQ(write->document, std::nullopt);  // it shows no longer what it was
    EXPECT_EQ(worker_->committable(), offset);
    worker_->acknowledge(work.batch, 2);
    EXPECT_EQ(worker_->committable(), next_);
  }
  const auto unknown = apply(EncodedMessage{.key = "?", .value = "?", .meta = ""});
  ASSERT_THAT(unknown.refused, SizeIs(1));
  EXPECT_EQ(unknown.refused[0].key, "?");
  EXPECT_EQ(unknown.refused[0].value, "?");
}

TEST_F(WorkerTest, WorkThatIsTooOldHalts) {
  worker_->reached(Offset(2), 0);  // something was compacted away
  next_ = Offset(5);
  store_.clear();
  start(Generation(1), Offset(2), 500);
  const auto done =
      apply(encode(run(1, R"({"n":1})")), 499);  // past it, nothing is known of the log
  EXPECT_EQ(done.pieces(), 0u);
  ASSERT_TRUE(worker_->halted().has_value());
  EXPECT_THAT(worker_->halted()->message, HasSubstr("offset 5 is of 1970-01-01T00:00:00.499Z"));
  EXPECT_EQ(worker_->committable(), Offset(2));
}

TEST_F(WorkerTest, LogThatBecameShorterHalts) {
  apply(run(1, R"({"n":1})"));
  apply(run(2, R"({"n":1})"));
  next_ = Offset(2);
  for (int restarts = 0; restarts < 2; ++restarts) {
    start(Generation(1));
    ASSERT_TRUE(worker_->halted().has_value());
    EXPECT_THAT(worker_->halted()->message, HasSubstr("ends at offset 2, and was applied up to 3"));
    EXPECT_THAT(worker_->resume(), SizeIs(0));
  }
}

TEST_F(WorkerTest, LogThatEndsBeforeWhatWasCommittedHalts) {
  store_.clear();
  start(Generation(1), Offset(4));
  ASSERT_TRUE(worker_->halted().has_value());
  EXPECT_THAT(worker_->halted()->message, HasSubstr("ends at offset 1, and was applied up to 4"));
}

}  // namespace
}  // namespace searchsync::worker
