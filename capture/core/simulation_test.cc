#include <fmt/core.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "capture/core/engine.h"
#include "capture/core/session_plan.h"
#include "capture/core/testing/fake_postgres.h"
#include "capture/core/testing/fake_topic.h"

// Random histories of one table through the engine: transactions, chunks in between, crashes
// anywhere, a slot that gets lost. Once all is quiet the topic is the table, read in either way: by
// the last record of each key, and by that with the highest position.
//
// SEARCHSYNC_SEED=n runs one history, SEARCHSYNC_HISTORIES=n that many.

namespace searchsync::capture::testing {
namespace {

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), postgres_(seed * 3 + 1), topic_(seed * 5 + 2) {}

  void run() {
    for (int i = 0; i < 60; ++i) postgres_.client_step();
    start();
    for (int i = 0; i < 600 && !failed(); ++i) step();
    finish();
  }

 private:
  bool failed() const { return ::testing::Test::HasFatalFailure(); }
  uint64_t pick(uint64_t count) { return random_() % count; }

  void start() {
    SessionFacts facts;
    facts.capture_name = "db";
    facts.system_id = "1";
    facts.timeline = 1;
    facts.written = postgres::Lsn(postgres_.written());
    facts.slot.exists = slot_exists_;
    facts.slot.confirmed = postgres::Lsn(confirmed_);
    facts.publication_exists = slot_exists_;
    TableFacts& table = facts.tables.emplace_back();
    table.schema = "public";
    table.name = "t";
    table.topic = "db.public.t";
    table.key_columns = {"id"};
    SessionPlan plan = plan_session(saved_, facts);
    if (!plan.new_slot_reason.empty()) {
      plan.state.flushed = postgres::Lsn(postgres_.lose_slot());
      confirmed_ = plan.state.flushed.get();
      slot_exists_ = true;
    }
    saved_ = plan.state;
    saving_.reset();
    reading_.reset();
    answer_.reset();
    Engine::Options options{.version = "1",
                            .database = "db",
                            .nonce = std::to_string(++sessions_),
                            .barrier = postgres_.snapshot()};
    options.chunk_rows_first = 1 + pick(4);
    options.chunk_bytes = 16 + pick(100);
    options.stash_rows_max = 1 + pick(5);
    engine_ = std::make_unique<Engine>(options, plan.tables, *saved_, postgres_, topic_);
    postgres_.restart_stream(saved_->flushed.get());
  }

  void crash() {
    topic_.crash();
    if (pick(6) == 0) slot_exists_ = false;
    start();
  }

  void acknowledge(uint64_t token) { engine_->on_acknowledged(token); }

  void receive() {
    const auto message = postgres_.next_message();
    if (!message) {
      engine_->on_keepalive(postgres::Lsn(postgres_.stream_end()));
      return;
    }
    const auto received = engine_->on_message(*message, 5);
    ASSERT_TRUE(received) << received.error().message;
  }

  void chunk() {
    if (answer_) {
      const uint64_t id = answer_->id;
      const auto good = engine_->on_chunk(std::move(*answer_));
      answer_.reset();
      ASSERT_TRUE(good) << good.error().message;
      if (*good) postgres_.write_mark(engine_->chunk_mark(id));
    } else if (reading_) {
      answer_ = postgres_.read_chunk(*reading_);
      reading_.reset();
    } else {
      reading_ = engine_->next_chunk();
    }
  }

  void save() {
    if (!saving_) {
      saving_ = engine_->state();
      return;
    }
    saved_ = *saving_;
    saving_.reset();
    // The server may learn of it, or not.
    if (pick(2) == 0) confirmed_ = std::max(confirmed_, saved_->flushed.get());
  }

  void step() {
    const uint64_t choice = pick(100);
    if (choice < 40) {
      postgres_.client_step();
    } else if (choice < 70) {
      receive();
    } else if (choice < 80) {
      chunk();
    } else if (choice < 90) {
      topic_.step([&](uint64_t token) { acknowledge(token); });
    } else if (choice < 94) {
      engine_->on_snapshot(postgres_.snapshot());
    } else if (choice < 99) {
      save();
    } else if (pick(2) == 0) {
      crash();
    }
  }

  // Faults off: the end is reached, and everything is confirmed.
  void finish() {
    postgres_.quiesce();
    for (int i = 0; i < 2000 && !failed(); ++i) {
      receive();
      if (i % 4 == 0) chunk();
      topic_.settle([&](uint64_t token) { acknowledge(token); });
      postgres_.quiesce();
      engine_->on_snapshot(postgres_.snapshot());
    }
    if (failed()) return;
    EXPECT_EQ(engine_->transactions(), 0u);
    EXPECT_EQ(engine_->state().flushed.get(), postgres_.stream_end());
    EXPECT_EQ(engine_->state().tables.at("public.t").phase, SnapshotPhase::kDone);
    compare();
  }

  void compare() {
    FakeTable last;
    std::map<int, EnvelopeFacts> highest;
    std::map<std::pair<int, Position>, int> numbers;
    for (size_t p = 0; p < FakeTopic::kPartitions; ++p) {
      for (const FakeRecord& record : topic_.partition(p)) {
        const int key = nlohmann::json::parse(record.key).at("id").get<int>();
        if (!record.value) {
          last.erase(key);
          continue;
        }
        const EnvelopeFacts facts = facts_of(*record.value);
        // The same place is the same change, however often it is sent.
        const auto [known, is_new] = numbers.try_emplace({key, facts.position}, facts.number);
        EXPECT_EQ(known->second, facts.number) << "key " << key;
        if (facts.deleted) {
          last.erase(key);
        } else {
          last[key] = {facts.number, facts.large};
        }
        if (facts.position >= highest[key].position) highest[key] = facts;
      }
    }
    FakeTable by_position;
    for (const auto& [key, facts] : highest) {
      if (!facts.deleted) by_position[key] = {facts.number, facts.large};
    }
    EXPECT_EQ(text(last), text(postgres_.table())) << history_of(last);
    EXPECT_EQ(text(by_position), text(postgres_.table())) << history_of(by_position);
  }

  static std::string text(const FakeTable& table) {
    std::string all;
    for (const auto& [key, row] : table) {
      all += fmt::format("{}: {} {}\n", key, row.number, row.large);
    }
    return all;
  }

  // The records of the first key that differs.
  std::string history_of(const FakeTable& folded) const {
    const auto differs = [&](int key) {
      const auto a = folded.find(key);
      const auto b = postgres_.table().find(key);
      const bool there = a != folded.end();
      return there != (b != postgres_.table().end()) || (there && !(a->second == b->second));
    };
    int key = 0;
    while (key < 100 && !differs(key)) ++key;
    std::string all = fmt::format("records of key {}:\n", key);
    for (size_t p = 0; p < FakeTopic::kPartitions; ++p) {
      for (const FakeRecord& record : topic_.partition(p)) {
        if (record.key == fmt::format("{{\"id\":{}}}", key)) {
          all += record.value.value_or("tombstone") + "\n";
        }
      }
    }
    return all;
  }

  std::mt19937_64 random_;
  FakePostgres postgres_;
  FakeTopic topic_;
  std::optional<CaptureState> saved_;
  std::optional<CaptureState> saving_;
  bool slot_exists_ = false;
  uint64_t confirmed_ = 0;
  int sessions_ = 0;
  std::unique_ptr<Engine> engine_;
  std::optional<ChunkRequest> reading_;
  std::optional<ChunkRows> answer_;
};

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Simulation, TheTopicEndsUpAsTheTable) {
  const uint64_t first = from_environment("SEARCHSYNC_SEED", 1);
  const uint64_t one = std::getenv("SEARCHSYNC_SEED") != nullptr ? 1 : 400;
  const uint64_t count = from_environment("SEARCHSYNC_HISTORIES", one);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("SEARCHSYNC_SEED=" + std::to_string(seed));
    History(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace searchsync::capture::testing
