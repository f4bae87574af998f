#include "query/own_write.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace searchsync::query {
namespace {

using positions::CapturePosition;
using positions::LogIdentity;
using positions::Token;
using postgres::Lsn;

const LogIdentity kLog{.system = 7, .timeline = 1, .database = "0000000a"};
const LogIdentity kOther{.system = 7, .timeline = 1, .database = "0000000b"};
const model::Leadership kLeads{.own = Generation(5), .leader = Generation(5)};
const Ways kWays{
    .captures = {{.positions = "p", .topics = {"a", "b"}}}, .others = false, .rounds = 3};

CapturePosition position(uint64_t through, const LogIdentity& log = kLog) {
  return {.log = log,
          .through = Lsn(through),
          .topics = {{"a", {.ends = {3, 0}, .whole = true}},
                     {"b", {.ends = {5}, .whole = true}},
                     {"not read", {.ends = {99}, .whole = false}}}};
}

Look look(uint64_t through, std::vector<int64_t> a, std::vector<int64_t> b, int64_t folded,
          int64_t end) {
  return {.captures = {position(through)},
          .routed = {{"a", std::move(a)}, {"b", std::move(b)}},
          .document_log = {{.end = end, .committed = folded}, {.end = 1, .committed = 1}},
          .leads = {kLeads, kLeads},
          .others = {}};
}

OwnWrite write_at(uint64_t lsn, const Ways& ways = kWays) {
  return {ways, {Token{.log = kLog, .lsn = Lsn(lsn)}}};
}

TEST(OwnWrite, PassesTheStagesInTurn) {
  OwnWrite write = write_at(100);
  EXPECT_TRUE(write.missing().starts_with("capture"));
  write.advance(look(99, {9, 9}, {9}, 50, 50));
  EXPECT_TRUE(write.missing().starts_with("capture")) << write.missing();
  write.advance(look(100, {3}, {4}, 50, 50));
  EXPECT_TRUE(write.missing().starts_with("route")) << write.missing();
  write.advance(look(100, {3}, {5}, 50, 60));
  EXPECT_TRUE(write.missing().starts_with("fold")) << write.missing();
  write.advance(look(100, {3}, {5}, 60, 70));  // round 1
  EXPECT_FALSE(write.written());
  write.advance(look(100, {3}, {5}, 69, 80));
  EXPECT_FALSE(write.written());
  write.advance(look(100, {3}, {5}, 70, 80));  // round 2
  EXPECT_FALSE(write.written());
  write.advance(look(100, {3}, {5}, 80, 90));  // round 3
  EXPECT_TRUE(write.written());
  EXPECT_EQ(write.missing(), "");
}

TEST(OwnWrite, OneLookInWhichAllIsDoneIsEnough) {
  OwnWrite write = write_at(100);
  write.advance(look(100, {3, 0}, {5}, 60, 60));
  EXPECT_TRUE(write.written());
}

TEST(OwnWrite, AQuietMomentSavesTheOtherRounds) {
  OwnWrite write = write_at(100);
  write.advance(look(100, {3, 0}, {5}, 50, 60));
  EXPECT_FALSE(write.written());
  write.advance(look(100, {3, 0}, {5}, 60, 60));
  EXPECT_TRUE(write.written());
}

TEST(OwnWrite, WhereTheRoutersAreToIsTakenOfTheTopicsOnce) {
  OwnWrite write = write_at(100);
  write.advance(look(100, {2}, {5}, 60, 60));
  Look later = look(200, {3}, {5}, 60, 60);
  later.captures[0]->topics["a"].ends = {1000, 1000};
  write.advance(later);  // what others have written since is not waited for
  EXPECT_TRUE(write.written());
}

TEST(OwnWrite, WaitsForTablesThatAreRead) {
  for (const bool absent : {true, false}) {
    OwnWrite write = write_at(100);
    Look one = look(100, {3}, {5}, 60, 60);
    if (absent) {
      one.captures[0]->topics.erase("b");
    } else {
      one.captures[0]->topics["b"].whole = false;
    }
    write.advance(one);
    EXPECT_FALSE(write.written());
    EXPECT_TRUE(write.missing().starts_with("capture: a table")) << write.missing();
    write.advance(look(100, {3}, {5}, 60, 60));
    EXPECT_TRUE(write.written());
  }
}

TEST(OwnWrite, KnowsWhichDatabaseATokenIsOf) {
  const auto advanced = [](const Ways& ways, std::vector<std::optional<CapturePosition>> captures,
                           LogIdentity log) {
    OwnWrite write(ways, {Token{.log = std::move(log), .lsn = Lsn(100)}});
    Look one = look(0, {3}, {5}, 60, 60);
    one.captures = std::move(captures);
    write.advance(one);
    return write.written();
  };
  LogIdentity restored = kLog;
  restored.timeline = 2;
  LogIdentity elsewhere = kLog;
  elsewhere.system = 8;
  EXPECT_FALSE(advanced(kWays, {std::nullopt}, kLog));
  EXPECT_FALSE(advanced(kWays, {}, kLog));
  EXPECT_FALSE(advanced(kWays, {position(999)}, restored));
  EXPECT_TRUE(advanced(kWays, {position(0, kOther)}, kLog)) << "it does not read that database";
  EXPECT_TRUE(advanced(kWays, {position(0)}, elsewhere));
  Ways others = kWays;
  others.others = true;
  EXPECT_FALSE(advanced(others, {position(0, kOther)}, kLog)) << "those may be of that database";
  EXPECT_TRUE(advanced(others, {position(100)}, kLog));
  Ways two = kWays;
  two.captures.push_back({.positions = "q", .topics = {"a"}});
  EXPECT_TRUE(advanced(two, {position(100), position(0, kOther)}, kLog));
  EXPECT_FALSE(advanced(two, {position(100), position(99)}, kLog)) << "both are of that database";
  EXPECT_FALSE(advanced(two, {position(100), std::nullopt}, kLog)) << "nobody knows of which it is";
}

TEST(OwnWrite, WaitsForEachOfItsTokens) {
  Ways two = kWays;
  two.captures.push_back({.positions = "q", .topics = {"c"}});
  OwnWrite write(two, {Token{.log = kLog, .lsn = Lsn(100)}, Token{.log = kOther, .lsn = Lsn(5)}});
  Look one = look(100, {3}, {5}, 60, 60);
  one.captures.emplace_back(position(4, kOther));
  one.captures[1]->topics["c"] = {.ends = {8}, .whole = true};
  write.advance(one);
  EXPECT_TRUE(write.missing().starts_with("capture")) << write.missing();
  one.captures[1]->through = Lsn(5);
  write.advance(one);
  EXPECT_TRUE(write.missing().starts_with("route")) << write.missing();
  one.routed["c"] = {8};
  write.advance(one);
  EXPECT_TRUE(write.written());
}

TEST(OwnWrite, ALogThatIsNotFoundIsNotFolded) {
  OwnWrite write = write_at(100);
  Look one = look(100, {3}, {5}, 60, 60);
  one.document_log.clear();
  write.advance(one);
  EXPECT_FALSE(write.written());
}

Look look_with(const model::Leadership& lead, std::map<Generation, std::vector<int64_t>> others) {
  Look one = look(100, {3}, {5}, 60, 60);
  one.leads[0] = lead;
  one.others = std::move(others);
  return one;
}

bool written_with(const model::Leadership& lead,
                  std::map<Generation, std::vector<int64_t>> others) {
  OwnWrite write = write_at(100);
  write.advance(look_with(lead, std::move(others)));
  EXPECT_TRUE(write.missing().empty() || write.missing().starts_with("fold: what"))
      << write.missing();
  return write.written();
}

TEST(OwnWrite, WhatIsForAnotherGenerationToSendIsWaitedFor) {
  const Generation ours(5);
  const Generation next(6);
  model::Leadership lead = kLeads;
  lead.pass(next, Offset(50));
  EXPECT_TRUE(asks_for_others(look_with(lead, {})));
  EXPECT_FALSE(written_with(lead, {})) << "nobody knows how far it is";
  EXPECT_FALSE(written_with(lead, {{next, {59, 0}}}));
  EXPECT_TRUE(written_with(lead, {{next, {60, 0}}})) << "partition 1 is still ours";
}

TEST(OwnWrite, WhoLedBeforeMayStillHaveToSend) {
  const Generation former(4);
  model::Leadership lead{.own = Generation(5), .leader = former};
  lead.pass(Generation(5), Offset(50));
  EXPECT_TRUE(asks_for_others(look_with(lead, {})));
  EXPECT_FALSE(written_with(lead, {{former, {50, 0}}}));
  EXPECT_TRUE(written_with(lead, {{former, {51, 0}}})) << "all that it led";
  EXPECT_TRUE(written_with(lead, {{Generation(9), {0, 0}}})) << "it is gone, so it has";
  // Behind what we look for it may have what it likes.
  lead.since = Offset(1'000);
  EXPECT_FALSE(written_with(lead, {{former, {59, 0}}}));
  EXPECT_TRUE(written_with(lead, {{former, {60, 0}}}));
  EXPECT_TRUE(have_sent(lead, 0, 5'000, {{former, {1'001}}}));
  EXPECT_FALSE(have_sent(lead, 0, 5'000, {{former, {1'000}}}));
}

TEST(OwnWrite, WhoDoesNotSayWhoLeadsIsNotBelieved) {
  OwnWrite write = write_at(100);
  Look one = look(100, {3}, {5}, 60, 60);
  one.leads[1] = std::nullopt;
  write.advance(one);
  EXPECT_FALSE(write.written());
  EXPECT_TRUE(write.missing().starts_with("fold: the workers have not said")) << write.missing();
  one.document_log[1] = {.end = 0};
  OwnWrite other = write_at(100);
  other.advance(one);
  EXPECT_TRUE(other.written()) << "of an empty partition there is nothing to say";
}

// A record of the log: of somebody else, of ours with so many hops still to come, or of a lead.
struct LogEntry {
  int hops = -1;
  Generation lead{0};
};

// One generation that folds the log.
struct Folder {
  int64_t applied = 0;
  int64_t committed = 0;
  model::Leadership lead;            // as of what is applied
  model::Leadership committed_lead;  // as it was when that was committed

  explicit Folder(int32_t generation)
      : lead{.own = Generation(generation), .leader = Generation(1)}, committed_lead(lead) {}

  void apply(std::vector<LogEntry>& log) {
    if (applied == static_cast<int64_t>(log.size())) return;
    const LogEntry entry = log[static_cast<size_t>(applied)];
    if (entry.lead.get() > 0) lead.pass(entry.lead, Offset(applied));
    ++applied;
    if (entry.hops > 0 && lead.leader == lead.own) log.push_back({.hops = entry.hops - 1});
  }
  void commit() {
    committed = applied;
    committed_lead = lead;
  }
};

// Random histories: a write goes the way of a row, with as many hops as there may be, among others'
// records. Two generations fold them, and the lead goes to and fro. Workers commit when they like;
// looks are taken in several steps, between which all goes on. Whoever is told that it is written
// must not be told too early.
TEST(OwnWrite, IsNeverEarly) {
  for (unsigned seed = 0; seed < 5'000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int32_t bound) {
      return static_cast<int32_t>(random() % static_cast<uint32_t>(bound));
    };
    const auto chance = [&](int32_t of) { return below(of) == 0; };
    Ways ways = kWays;
    ways.rounds = 1 + below(4);
    uint64_t through = 0;
    int64_t routed = 0;
    int64_t topic_end = 0;
    int32_t leads_left = below(4);
    std::vector<LogEntry> log;
    Folder ours(1 + below(2));
    Folder other(3 - ours.lead.own.get());
    const int32_t laziness = 2 + below(6);  // of the other
    const auto step = [&] {
      if (topic_end == 0 && chance(3)) topic_end = 1;  // the write, at offset 0
      if (topic_end == 1 && through == 0 && chance(3)) through = 100;
      if (topic_end == 1 && routed == 0 && chance(3)) {
        log.push_back({.hops = ways.rounds - 1});
        routed = 1;
      }
      if (chance(3)) log.push_back({});
      if (leads_left > 0 && chance(5)) {
        log.push_back({.lead = Generation(1 + --leads_left % 2)});
      }
      if (chance(2)) ours.apply(log);
      if (chance(4)) ours.commit();
      if (chance(laziness)) other.apply(log);
      if (chance(2 * laziness)) other.commit();
    };
    OwnWrite write = write_at(100, ways);
    for (int i = 0; i < 20'000 && !write.written(); ++i) {
      Look one;
      one.captures = {position(through)};
      one.captures[0]->topics["a"].ends = {topic_end};
      one.captures[0]->topics["b"].ends = {0};
      step();
      one.routed["a"] = {routed};
      step();
      one.document_log = {{.committed = ours.committed}};
      one.leads = {ours.committed_lead};
      step();
      if (asks_for_others(one)) one.others = {{other.lead.own, {other.committed}}};
      step();
      one.document_log[0].end = static_cast<int64_t>(log.size());
      write.advance(one);
      step();
    }
    ASSERT_TRUE(write.written()) << "seed " << seed << ": " << write.missing();
    ASSERT_EQ(routed, 1) << "seed " << seed;
    const auto last = std::ranges::find(log, 0, &LogEntry::hops) - log.begin();
    ASSERT_LT(last, static_cast<int64_t>(log.size())) << "seed " << seed << ": a hop is missing";
    EXPECT_GT(ours.committed, last) << "seed " << seed;
  }
}

}  // namespace
}  // namespace searchsync::query
