// The lane against an engine that is a small HTTP server here: what it answers is said by each
// test.

#include "worker/run/bulk_lane.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <mutex>

#include "lib/http/server.h"

namespace searchsync::worker {
namespace {

using std::chrono::milliseconds;

size_t count_lines(std::string_view body) {
  return static_cast<size_t>(std::ranges::count(body, '\n'));
}

std::string items(size_t count, int status) {
  std::string body = R"({"errors":false,"items":[)";
  for (size_t i = 0; i < count; ++i) {
    body += fmt::format(R"({}{{"index":{{"status":{}}}}})", i == 0 ? "" : ",", status);
  }
  return body + "]}";
}

class BulkLaneTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.route(http::Method::kPost, "/{index}/_bulk", [this](const http::Request& request) {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(request.body);
      return answer_(request.body);
    });
    server_.route(http::Method::kPut, "/{index}", [this](const http::Request& request) {
      const std::lock_guard lock(mutex_);
      created_.push_back(request.path_parameter("index"));
      EXPECT_EQ(request.body, "body of " + created_.back());
      return http::Response{.status = create_status_, .body = "{}"};
    });
    server_.route(http::Method::kPut, "/{index}/_mapping", [this](const http::Request& request) {
      const std::lock_guard lock(mutex_);
      equipped_.push_back(request.path_parameter("index"));
      EXPECT_EQ(request.body, "fields");
      return http::Response{.status = fields_status_, .body = R"({"acknowledged":true})"};
    });
    server_.route(http::Method::kGet, "/{index}", [this](const http::Request& request) {
      EXPECT_EQ(request.path_parameter("index"), elastic::write_alias(IndexName("runs")));
      return http::Response{.status = index_status_, .body = ""};
    });
    ASSERT_TRUE(server_.start().has_value());
    auto client = http::AsyncClient::create({.base_urls = {"http://" + server_.address()}});
    ASSERT_TRUE(client.has_value()) << client.error().message;
    client_ = std::move(*client);
  }

  void add(BulkLane& lane, std::string root, std::string document = "{}") {
    lane.add({.assignment = 1, .batches = {1}, .root = root},
             {.root = root, .version = 1, .document = std::move(document)}, Clock::now());
  }

  // Until everything has an outcome.
  std::map<std::string, elastic::Outcome> finish(BulkLane& lane) {
    std::map<std::string, elastic::Outcome> outcomes;
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    while (!lane.idle() && Clock::now() < deadline) {
      lane.send(Clock::now());
      lane.collect(Clock::now(), [&](BulkResult&& result) {
        EXPECT_NE(result.lines.find(result.document.root), std::string_view::npos);
        outcomes[result.document.root] = result.outcome.outcome;
      });
    }
    EXPECT_TRUE(lane.idle());
    return outcomes;
  }

  std::mutex mutex_;
  std::vector<std::string> bodies_;                           // guarded by mutex_
  std::function<http::Response(const std::string&)> answer_;  // called with mutex_ held
  std::vector<std::string> created_;                          // guarded by mutex_
  std::vector<std::string> equipped_;                         // guarded by mutex_
  std::atomic<int> index_status_ = 200;
  std::atomic<int> create_status_ = 200;
  std::atomic<int> fields_status_ = 200;
  http::Server server_{{.listen = "127.0.0.1:0"}};
  std::unique_ptr<http::AsyncClient> client_;
};

TEST_F(BulkLaneTest, GathersUpToItsLimitAndHandsOutcomesBack) {
  answer_ = [](const std::string& body) {
    return http::Response{.body = items(count_lines(body) / 2, 200)};
  };
  BulkLane lane({.index = IndexName("runs"), .documents_max = 3, .delay = milliseconds(0)},
                *client_, 1);
  for (const char* root : {"a", "b", "c"}) add(lane, root);
  EXPECT_FALSE(lane.has_room(Urgency::kDirect));
  const auto outcomes = finish(lane);
  EXPECT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes.at("b"), elastic::Outcome::kApplied);
  EXPECT_EQ(bodies_.size(), 1u);
  EXPECT_TRUE(lane.trouble().empty());
}

TEST_F(BulkLaneTest, ADocumentOfAFanOutLeavesRoomForUrgentOnes) {
  answer_ = [](const std::string& body) {
    return http::Response{.body = items(count_lines(body) / 2, 200)};
  };
  BulkLane lane({.index = IndexName("runs"), .fan_out_max = 2, .delay = milliseconds(0)}, *client_,
                1);
  EXPECT_TRUE(lane.has_room(Urgency::kFanOut));
  add(lane, "a");
  add(lane, "b");
  EXPECT_FALSE(lane.has_room(Urgency::kFanOut));
  EXPECT_TRUE(lane.has_room(Urgency::kDirect));
  lane.send(Clock::now());
  EXPECT_FALSE(lane.has_room(Urgency::kFanOut)) << "one request is under way, two may be";
  EXPECT_TRUE(lane.has_room(Urgency::kDirect));
  EXPECT_EQ(finish(lane).size(), 2u);
  EXPECT_TRUE(lane.has_room(Urgency::kFanOut));
}

TEST_F(BulkLaneTest, SendsAgainWhatGotNoAnswerAndSaysWhy) {
  int failures = 2;
  answer_ = [&](const std::string& body) {
    if (failures-- > 0) return http::Response{.status = 200, .body = "no bulk response"};
    return http::Response{.body = items(count_lines(body) / 2, 200)};
  };
  BulkLane lane({.index = IndexName("runs"), .delay = milliseconds(0)}, *client_, 1);
  add(lane, "a");
  EXPECT_EQ(finish(lane).at("a"), elastic::Outcome::kApplied);
  EXPECT_EQ(bodies_.size(), 3u);
  EXPECT_EQ(lane.totals().failed_requests, 2u);
}

TEST_F(BulkLaneTest, FindsTheDocumentThatTheEngineCannotRead) {
  answer_ = [](const std::string& body) {
    const bool bad = body.find("poison") != std::string::npos;
    if (bad)
      return http::Response{.status = 400,
                            .body = R"({"error":{"type":"x","reason":"y"},"status":400})"};
    return http::Response{.body = items(count_lines(body) / 2, 201)};
  };
  BulkLane lane({.index = IndexName("runs"), .delay = milliseconds(0)}, *client_, 1);
  for (int i = 0; i < 9; ++i) add(lane, fmt::format("d{}", i), i == 5 ? R"({"x":"poison"})" : "{}");
  const auto outcomes = finish(lane);
  ASSERT_EQ(outcomes.size(), 9u);
  for (const auto& [root, outcome] : outcomes) {
    EXPECT_EQ(outcome, root == "d5" ? elastic::Outcome::kRejected : elastic::Outcome::kApplied)
        << root;
  }
}

// A loop ended, and its requests are still under way in the client that the next one uses, too.
TEST_F(BulkLaneTest, WaitsForAClientThatIsFull) {
  auto client =
      http::AsyncClient::create({.base_urls = {"http://" + server_.address()}, .in_flight_max = 1});
  ASSERT_TRUE(client.has_value()) << client.error().message;
  client_ = std::move(*client);
  std::promise<void> go_on;
  auto released = go_on.get_future().share();
  std::atomic<bool> asked = false;
  answer_ = [&](const std::string& body) {
    if (!asked.exchange(true)) released.wait();
    return http::Response{.body = items(count_lines(body) / 2, 200)};
  };
  {
    BulkLane before({.index = IndexName("runs"), .delay = milliseconds(0)}, *client_, 1);
    add(before, "a");
    before.send(Clock::now());
  }
  BulkLane lane({.index = IndexName("runs"), .delay = milliseconds(0)}, *client_, 1);
  add(lane, "b");
  lane.send(Clock::now());
  EXPECT_FALSE(lane.idle());
  go_on.set_value();
  EXPECT_EQ(finish(lane).at("b"), elastic::Outcome::kApplied);
}

TEST_F(BulkLaneTest, ChecksTheIndexWhileThereIsNothingToWrite) {
  BulkLane lane({.index = IndexName("runs"), .check_every = milliseconds(20)}, *client_, 1);
  // A look that takes longer than it may is trouble, too; the next one may be quicker.
  const auto eventually = [&](auto condition) {
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    while (!condition(lane.trouble()) && Clock::now() < deadline) {
      lane.send(Clock::now());
      lane.collect(Clock::now(), [](BulkResult&&) {});
    }
    return condition(lane.trouble());
  };
  index_status_ = 404;
  EXPECT_TRUE(eventually([](const std::string& why) { return why.contains("404"); }))
      << lane.trouble();
  index_status_ = 200;
  EXPECT_TRUE(eventually([](const std::string& why) { return why.empty(); })) << lane.trouble();
  EXPECT_EQ(lane.totals().requests, 0u);
}

TEST_F(BulkLaneTest, HandsBackWhatWasPushedBack) {
  answer_ = [](const std::string& body) {
    return http::Response{.body = items(count_lines(body) / 2, 429)};
  };
  BulkLane lane({.index = IndexName("runs"), .delay = milliseconds(0)}, *client_, 1);
  add(lane, "a");
  EXPECT_EQ(finish(lane).at("a"), elastic::Outcome::kRetry);
}

class PartitionedLaneTest : public BulkLaneTest {
 protected:
  static Place place(std::string_view day, std::string routing = "") {
    return {*model::parse_period(model::Every::kDay, day), std::move(routing)};
  }

  static BulkLane::Options options() {
    return {.index = IndexName("runs"),
            .delay = milliseconds(0),
            .partitions =
                PartitionMaker::Options{.generation = IndexName("runs"),
                                        .body = [](const IndexName& name) -> Result<std::string> {
                                          return "body of " + name.get();
                                        },
                                        .fields = "fields"}};
  }

  static bool eventually(FunctionRef<bool()> condition) {
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (Clock::now() > deadline) return false;
    }
    return true;
  }

  // One that moves from one day to the next.
  static void add_moving(BulkLane& lane) {
    lane.add({.assignment = 1, .batches = {1}, .root = "a"},
             {.root = "a",
              .version = 1,
              .document = "{}",
              .place = place("2026-11-29", "s1"),
              .left = {place("2026-11-28")}},
             Clock::now());
  }

  // Items of the bulk response, one a status.
  static http::Response respond(std::initializer_list<std::string_view> items) {
    std::string body = R"({"items":[)";
    for (const auto item : items) {
      body += body.ends_with('[') ? "" : ",";
      body += item;
    }
    return {.body = body + "]}"};
  }

  static constexpr std::string_view kDone = R"({"index":{"status":200}})";
  static constexpr std::string_view kDeleted = R"({"delete":{"status":404}})";
  static constexpr std::string_view kBusy = R"({"delete":{"status":429}})";
  static constexpr std::string_view kPoison = R"({"index":{"status":400}})";
  static constexpr std::string_view kMissing =
      R"({"delete":{"status":404,"error":{"type":"index_not_found_exception","reason":"x"}}})";
};

TEST_F(PartitionedLaneTest, WritesADocumentInItsPlaceAndDeletesItWhereItWas) {
  answer_ = [](const std::string&) { return respond({kDone, kDeleted}); };
  BulkLane lane(options(), *client_, 1);
  add_moving(lane);
  EXPECT_EQ(finish(lane).at("a"), elastic::Outcome::kApplied);
  ASSERT_EQ(bodies_.size(), 1u);
  EXPECT_EQ(bodies_[0], R"({"index":{"_id":"a","_index":"runs-2026-11-29.Write","routing":"s1",)"
                        R"("version":1,"version_type":"external_gte"}})"
                        "\n{}\n"
                        R"({"delete":{"_id":"a","_index":"runs-2026-11-28.Write",)"
                        R"("version":1,"version_type":"external_gte"}})"
                        "\n");
}

TEST_F(PartitionedLaneTest, ADocumentIsDoneWhenAllOfItIs) {
  BulkLane lane(options(), *client_, 1);
  const auto outcome = [&](std::initializer_list<std::string_view> items) {
    answer_ = [items](const std::string&) { return respond(items); };
    add_moving(lane);
    return finish(lane).at("a");
  };
  EXPECT_EQ(outcome({kDone, kBusy}), elastic::Outcome::kRetry);
  EXPECT_EQ(outcome({kPoison, kBusy}), elastic::Outcome::kRetry) << "it is still where it was";
  EXPECT_TRUE(eventually([&] {
    return outcome({kPoison, kDeleted}) == elastic::Outcome::kRejected;
  }));
}

TEST_F(PartitionedLaneTest, MakesAPartitionThatIsMissing) {
  answer_ = [](const std::string&) { return respond({kDone, kMissing}); };
  BulkLane lane(options(), *client_, 1);
  add_moving(lane);
  EXPECT_EQ(finish(lane).at("a"), elastic::Outcome::kRetry);
  const auto made = [&] {
    lane.collect(Clock::now(), [](BulkResult&&) {});
    const std::lock_guard lock(mutex_);
    return !created_.empty();
  };
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  while (!made() && Clock::now() < deadline) lane.send(Clock::now());
  EXPECT_EQ(created_, std::vector<std::string>{"runs-2026-11-28"});
  EXPECT_EQ(lane.trouble(), "");
}

// It may have been made by one with an older configuration.
TEST_F(PartitionedLaneTest, GivesAPartitionItsFieldsOnceBeforeADocumentIsRefused) {
  answer_ = [](const std::string&) { return respond({kPoison, kDeleted}); };
  BulkLane lane(options(), *client_, 1);
  const auto refused = [&] {
    add_moving(lane);
    return finish(lane).at("a") == elastic::Outcome::kRejected;
  };
  fields_status_ = 503;
  EXPECT_FALSE(refused());
  EXPECT_TRUE(eventually([&] {
    lane.collect(Clock::now(), [](BulkResult&&) {});
    return !lane.trouble().empty();
  }));
  EXPECT_FALSE(refused()) << "it has not been given any";
  fields_status_ = 200;
  EXPECT_TRUE(eventually(refused));
  EXPECT_EQ(lane.trouble(), "");
  EXPECT_GE(equipped_.size(), 2u);
  for (const auto& name : equipped_) EXPECT_EQ(name, "runs-2026-11-29");
  const auto times = equipped_.size();
  EXPECT_TRUE(refused());
  EXPECT_EQ(equipped_.size(), times) << "nothing more can be done for it";
}

TEST_F(PartitionedLaneTest, WhatTakesNoFieldsRefusesItsDocuments) {
  answer_ = [](const std::string&) { return respond({kPoison, kDeleted}); };
  fields_status_ = 400;
  BulkLane lane(options(), *client_, 1);
  EXPECT_TRUE(eventually([&] {
    add_moving(lane);
    return finish(lane).at("a") == elastic::Outcome::kRejected;
  }));
  EXPECT_EQ(equipped_, std::vector<std::string>{"runs-2026-11-29"});
  EXPECT_EQ(lane.trouble(), "");
}

TEST_F(PartitionedLaneTest, WhatWasSentBeforeAPartitionHadItsFieldsIsSentAgain) {
  PartitionMaker maker(*options().partitions, *client_, 1);
  const auto day = place("2026-11-29").period;
  const auto before = Clock::now();
  EXPECT_TRUE(maker.equip(day, before));
  EXPECT_TRUE(eventually([&] {
    maker.step(Clock::now());
    return maker.idle();
  }));
  EXPECT_TRUE(maker.equip(day, before)) << "of another request";
  EXPECT_TRUE(maker.idle());
  EXPECT_TRUE(eventually([&] { return !maker.equip(day, Clock::now()); }));
}

TEST_F(PartitionedLaneTest, MakesNoneOfAGenerationThatIsGone) {
  index_status_ = 404;
  answer_ = [](const std::string&) { return respond({kDone, kMissing}); };
  BulkLane lane(options(), *client_, 1);
  add_moving(lane);
  finish(lane);
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  while (lane.trouble().empty() && Clock::now() < deadline) {
    lane.collect(Clock::now(), [](BulkResult&&) {});
  }
  EXPECT_EQ(lane.trouble(),
            "partition 2026-11-28 cannot be made: index runs answers with status 404");
  EXPECT_TRUE(created_.empty());
}

}  // namespace
}  // namespace searchsync::worker
