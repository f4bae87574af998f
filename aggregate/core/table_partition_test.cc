#include "aggregate/core/table_partition.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "aggregate/core/test_definition.h"

namespace searchsync::aggregate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Which = TablePartition::Which;

// One partition of one, whose rows stay in memory.
class OfOne {
 public:
  explicit OfOne(model::AggregateSpec spec = domains_spec(), model::ErrorsSpec errors = {})
      : definition_({"domain"}, {"domain"}, spec),
        core(definition_, {.partition = Partition(0), .partitions = 1, .errors = errors}, store_,
             shared) {}

  void start(std::optional<Offset> done, int64_t table_end) {
    core.start({.identity = "t", .committed = done, .table_end = Offset(table_end)});
  }
  void event(std::string_view domain, std::string_view type, int64_t now_ms) {
    value(domain, fmt::format(R"({{"domain":"{}","type":"{}","id":"{}"}})", domain, type, next_),
          now_ms);
  }
  void value(std::string_view key, std::string_view json, int64_t now_ms) {
    const EventRecord record{Offset(next_++), key, json, now_ms};
    core.apply(std::span(&record, 1), now_ms);
  }
  // Where another process reads the table from that finds the state on its disk.
  Offset taken_up(const TablePartition::LogState& log) {
    TablePartition other(definition_, {.partition = Partition(0)}, store_, shared);
    return other.start(log);
  }
  // Where it reads events then, once it has the rows that were written.
  Result<Offset> resumed_at(const TablePartition::LogState& log, Offset low) {
    TablePartition other(definition_, {.partition = Partition(0)}, store_, shared);
    const Offset from = other.start(log);
    for (auto row = static_cast<size_t>(from.get()); row < written.size(); ++row) {
      const TableRecord record{Offset(static_cast<int64_t>(row)), written[row].first,
                               written[row].second};
      EXPECT_TRUE(other.restore(std::span(&record, 1)));
    }
    EXPECT_TRUE(other.restored());
    return other.resume_at(low);
  }
  // The domains whose rows were written, in order; and it is committed.
  std::vector<std::string> flush(Which which, int64_t now_ms) {
    std::vector<std::string> domains;
    const auto flush = core.flush(which, now_ms, [&](const TableRow& row) {
      domains.emplace_back(row.key);
      rows[std::string(row.key)] = row.value;
      written.emplace_back(row.key, row.state);
    });
    committed = flush.next;
    for (const auto& refused : flush.refused) letters.push_back(refused.reason);
    table_end_ += static_cast<int64_t>(domains.size());
    core.flushed(Offset(table_end_));
    return domains;
  }

 private:
  const Definition definition_;
  worker::MemoryStore store_;
  int64_t next_ = 0;
  int64_t table_end_ = 0;

 public:
  Shared shared;
  TablePartition core;
  std::map<std::string, std::string> rows;
  std::vector<std::pair<std::string, std::string>> written;  // keys and states
  std::vector<std::string> letters;
  Offset committed;
};

TEST(TablePartition, CoalescesCountsAndWritesAStatusAtOnce) {
  OfOne of;
  of.start(std::nullopt, 0);
  EXPECT_EQ(of.core.due_ms(), std::nullopt);
  of.event("a", "delivered", 100);
  of.event("b", "delivered", 150);
  EXPECT_EQ(of.core.due_ms(), 110);  // they are new
  EXPECT_THAT(of.flush(Which::kDue, 160), ElementsAre("a", "b"));
  EXPECT_EQ(of.committed, Offset(2));
  of.event("a", "delivered", 200);
  of.event("b", "bounced", 300);
  of.event("a", "opened", 310);
  EXPECT_EQ(of.core.due_ms(), 310);
  EXPECT_THAT(of.flush(Which::kDue, 320), ElementsAre("b"));
  EXPECT_EQ(of.committed, Offset(2)) << "an event that is in no row yet is not committed";
  EXPECT_EQ(of.core.due_ms(), 1200);
  of.event("a", "opened", 700);
  EXPECT_THAT(of.flush(Which::kDue, 1199), ElementsAre());
  EXPECT_THAT(of.flush(Which::kDue, 1200), ElementsAre("a"));
  EXPECT_EQ(of.committed, Offset(6));
  EXPECT_EQ(of.rows["a"], R"({"domain":"a","delivered":2,"bounced":0,"status":"unknown"})");
  EXPECT_EQ(of.rows["b"], R"({"domain":"b","delivered":1,"bounced":1,"status":"not-catch-all"})");
}

TEST(TablePartition, AGroupIsWrittenOnceHoweverOftenItChanges) {
  OfOne of;
  of.start(std::nullopt, 0);
  of.event("a", "delivered", 0);
  of.flush(Which::kAll, 0);
  for (int i = 0; i < 50; ++i) of.event("a", i == 30 ? "bounced" : "delivered", 100 + i);
  EXPECT_THAT(of.flush(Which::kAll, 200), ElementsAre("a"));
  EXPECT_THAT(of.flush(Which::kAll, 5000), ElementsAre());
}

TEST(TablePartition, WhatCausesNoRowIsCommittedToo) {
  OfOne of;
  of.start(std::nullopt, 0);
  of.event("a", "delivered", 0);
  of.flush(Which::kAll, 0);
  of.event("a", "opened", 100);
  EXPECT_EQ(of.core.due_ms(), 1100);
  EXPECT_THAT(of.flush(Which::kDue, 1100), ElementsAre());
  EXPECT_EQ(of.committed, Offset(2));
  EXPECT_EQ(of.core.due_ms(), std::nullopt);
  of.core.reached(Offset(9), 1200);  // the end of a transaction, say
  of.flush(Which::kDue, 2200);
  EXPECT_EQ(of.committed, Offset(9));
}

TEST(TablePartition, ARefusedEventGoesWithAllThatIsBeforeIt) {
  OfOne of;
  of.start(std::nullopt, 0);
  of.event("a", "delivered", 0);
  of.flush(Which::kAll, 0);
  of.event("a", "delivered", 10);
  of.value("a", "{}", 20);
  EXPECT_LE(of.core.due_ms(), 20);
  EXPECT_THAT(of.flush(Which::kDue, 20), ElementsAre("a"));
  EXPECT_THAT(of.letters, ElementsAre(HasSubstr("column domain")));
  EXPECT_EQ(of.committed, Offset(3));
}

TEST(TablePartition, HaltsWhereItsErrorsSay) {
  OfOne halts(domains_spec(), {.policy = model::ErrorPolicy::kHalt});
  halts.start(std::nullopt, 0);
  halts.event("a", "delivered", 0);
  halts.value("a", "{}", 0);
  halts.event("a", "delivered", 0);
  ASSERT_TRUE(halts.core.halted());
  EXPECT_THAT(halts.core.halted()->message, HasSubstr("halted at partition 0 offset 1: "));
  EXPECT_THAT(halts.flush(Which::kAll, 0), ElementsAre("a"));
  EXPECT_EQ(halts.committed, Offset(1));
  EXPECT_THAT(halts.letters, ElementsAre());

  OfOne bounded(domains_spec(), {.max_dead_letters = 2});
  bounded.start(std::nullopt, 0);
  for (int i = 0; i < 5; ++i) bounded.value("a", "{}", 0);
  ASSERT_TRUE(bounded.core.halted());
  EXPECT_THAT(bounded.core.halted()->message, HasSubstr("halted after 2 dead letters"));
  bounded.flush(Which::kAll, 0);
  EXPECT_EQ(bounded.committed, Offset(2));
  EXPECT_EQ(bounded.letters.size(), 2u);

  OfOne again(domains_spec(), {.max_dead_letters = 2});
  again.shared.refused = 2;  // as many are open
  again.start(Offset(2), 0);
  ASSERT_TRUE(again.core.halted());
  EXPECT_THAT(again.core.halted()->message, HasSubstr("2 open dead letters"));
}

TEST(TablePartition, HaltsBeforeItForgetsAnId) {
  auto spec = domains_spec();
  spec.dedupe = model::DedupeSpec{.by = "id", .window = std::chrono::seconds(60), .ids_max = 2};
  OfOne of(spec);
  of.start(std::nullopt, 0);
  for (int i = 0; i < 9; ++i) of.event("a", "delivered", 0);
  ASSERT_TRUE(of.core.halted());
  EXPECT_THAT(of.core.halted()->message, HasSubstr("dedupe.idsMax"));
  of.flush(Which::kAll, 0);
  EXPECT_EQ(of.committed, Offset(3));
}

TEST(TablePartition, RefusesATableThatSomebodyElseWroteInto) {
  OfOne of;
  of.start(Offset(5), 2);
  EXPECT_FALSE(of.core.restored());
  const TableRecord strange{Offset(0), "a", std::nullopt};
  const auto restored = of.core.restore(std::span(&strange, 1));
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().message, HasSubstr("nobody else may write into that topic"));
}

TEST(TablePartition, ATableWithoutRowsIsBegunFromTheFirstEvent) {
  OfOne of;
  of.start(Offset(5), 0);
  EXPECT_TRUE(of.core.restored());
  EXPECT_EQ(of.core.resume_at(Offset(3)), Offset(3));
}

// Few ids are not saved at once: those of the second event are read again, where it is there.
TEST(TablePartition, EventsMayGoOnceTheyAreCounted) {
  auto spec = domains_spec();
  spec.dedupe = model::DedupeSpec{.by = "id", .window = std::chrono::seconds(60)};
  OfOne of(spec);
  of.start(std::nullopt, 0);
  for (int i = 0; i < 2; ++i) {
    of.event("a", "delivered", 0);
    of.flush(Which::kAll, 0);
  }
  const TablePartition::LogState log{
      .identity = "t", .committed = Offset(2), .table_end = Offset(2)};
  EXPECT_EQ(of.resumed_at(log, Offset(0)), Offset(1));
  EXPECT_EQ(of.resumed_at(log, Offset(2)), Offset(2));
  const auto gone = of.resumed_at(log, Offset(3));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(gone.error().message, HasSubstr("begins at offset 3"));
}

TEST(TablePartition, WhereNothingIsCommittedAndRowsAreThereNoEventMayBeGone) {
  OfOne of;
  of.start(std::nullopt, 0);
  of.event("a", "delivered", 0);
  of.flush(Which::kAll, 0);
  const TablePartition::LogState forgotten{
      .identity = "t", .committed = std::nullopt, .table_end = Offset(1)};
  EXPECT_EQ(of.resumed_at(forgotten, Offset(0)), Offset(0));
  EXPECT_EQ(of.resumed_at(forgotten, Offset(1)).error().code, ErrorCode::kNotFound);
}

TEST(TablePartition, StateThatIsNotOfWhatIsCommittedIsThrownAway) {
  const auto taken_up = [](std::string_view identity, int64_t committed, int64_t table_end) {
    OfOne of;
    of.start(std::nullopt, 0);
    for (const auto* domain : {"a", "b", "c"}) of.event(domain, "delivered", 0);
    of.flush(Which::kAll, 0);
    return of
        .taken_up(
            {.identity = identity, .committed = Offset(committed), .table_end = Offset(table_end)})
        .get();
  };
  EXPECT_EQ(taken_up("t", 3, 3), 3);
  EXPECT_EQ(taken_up("t", 9, 9), 3);
  EXPECT_EQ(taken_up("another", 3, 3), 0);
  EXPECT_EQ(taken_up("t", 2, 3), 0) << "somebody has set the offset back";
  EXPECT_EQ(taken_up("t", 3, 2), 0) << "somebody has deleted rows";
}

}  // namespace
}  // namespace searchsync::aggregate
