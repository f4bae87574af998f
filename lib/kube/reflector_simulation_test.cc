// Random writes at a server that fails in every way it can, and one reflector that follows it.
// Always: what the reflector shows was there, as a whole, and neither it nor an object goes back in
// time. When nothing fails and nobody writes: it shows what there is, within bounded time. And it
// never asks without end, however long it is that nothing else goes well.
//
// SEED=n replays one schedule, RUNS=n sets how many are tried.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "lib/base/overloaded.h"
#include "lib/kube/fake_api_server.h"
#include "lib/kube/reflector_core.h"

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Time = ReflectorCore::Time;

const ResourceType kType{.group = "", .version = "v1", .plural = "configmaps", .kind = "ConfigMap"};
const ResourceType kOther{.group = "", .version = "v1", .plural = "secrets", .kind = "Secret"};

// Holds what the reflector says, and objects to what cannot be.
class Follower final : public ReflectorSink {
 public:
  Follower(const FakeApiServer& server, FakeApiServer::Selection selection)
      : server_(server), selection_(std::move(selection)) {}

  void apply(std::span<const Change> changes) override {
    ASSERT_FALSE(changes.empty());
    for (const Change& change : changes) {
      if (change.kind == Change::Kind::kRemoved) {
        EXPECT_EQ(objects_.erase(change.key), 1u) << to_string(change.key) << " was not there";
        EXPECT_EQ(uids_[change.key], change.uid);
        uids_.erase(change.key);
      } else {
        put(change);
      }
    }
    const auto then = server_.when(selection_, objects_, at_);
    EXPECT_TRUE(then) << "the objects never were like this at " << at_ << " or later";
    at_ = then.value_or(at_);
  }
  void synced() override { ++synced_; }

  const FakeApiServer::Versions& objects() const { return objects_; }
  int times_synced() const { return synced_; }

 private:
  void put(const Change& change) {
    const std::string version(change.resource_version);
    EXPECT_TRUE(server_.had(kType, change.key, version))
        << to_string(change.key) << " never was at " << version;
    EXPECT_NE(change.object.find("\"resourceVersion\":\"" + version + "\""), std::string_view::npos)
        << change.object;
    uint64_t& newest = newest_[change.key];
    EXPECT_LT(newest, std::stoull(version)) << to_string(change.key) << " goes back";
    newest = std::stoull(version);
    objects_[change.key] = version;
    const auto [uid, is_new] = uids_.try_emplace(change.key, change.uid);
    EXPECT_EQ(uid->second, change.uid) << "another object without a removal";
  }

  const FakeApiServer& server_;
  const FakeApiServer::Selection selection_;
  FakeApiServer::Versions objects_;
  std::map<ObjectKey, std::string> uids_;
  std::map<ObjectKey, uint64_t> newest_;
  uint64_t at_ = 0;  // the revision that objects_ are of
  int synced_ = 0;
};

class Schedule {
 public:
  explicit Schedule(uint64_t seed)
      : random_(seed),
        server_(seed + 1),
        selection_{
            .type = kType, .namespace_ = one_in(3) ? "a" : "", .labels = one_in(3) ? "app=x" : ""},
        follower_(server_, selection_),
        core_(options(), seed + 2),
        fails_(!one_in(5)) {
    server_.serve(kType);
    server_.serve(kOther);
    write_other();
    for (int i = below(30); i > 0; --i) write();
  }

  void run() {
    for (int step = 0; step < 400 && sound(); ++step) {
      if (fails_ && (step == 0 || one_in(60))) draw_faults();
      if (one_in(2)) write();
      if (one_in(25)) server_.compact(server_.revision());
      pass(one_in(20) ? seconds(below(120)) : milliseconds(1 + below(2'000)));
    }
    server_.set_faults({});
    const Time quiet = now_;
    while (sound() && follower_.objects() != server_.versions(selection_)) {
      ASSERT_LT(now_ - quiet, minutes(6)) << "it does not catch up; " << core_.problem();
      pass(seconds(1));
    }
    often_ = 1'000;
    pass(minutes(11));  // whatever still hangs has been given up
    stay();
  }

  // Nothing ever goes well. Returns the number of lists and watches in half an hour.
  uint64_t suffer(const FakeApiServer::Faults& faults) {
    pass(minutes(1));
    server_.set_faults(faults);
    const ReflectorCounters before = core_.counters();
    pass(minutes(30));
    const ReflectorCounters& after = core_.counters();
    return after.lists - before.lists + after.watches - before.watches;
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }
  bool sound() const { return !testing::Test::HasFailure(); }

  // Now that nothing fails: others go on writing, history is forgotten behind them, and it neither
  // lists again nor asks for more than a watch now and then.
  void stay() {
    const uint64_t requests = server_.requests();
    const uint64_t lists = core_.counters().lists;
    for (int minute = 0; minute < 30 && sound(); ++minute) {
      const uint64_t before = server_.revision();
      pass(seconds(50));
      write_other();
      pass(seconds(70));
      server_.compact(before);
    }
    EXPECT_EQ(follower_.objects(), server_.versions(selection_));
    EXPECT_GT(follower_.times_synced(), 0);
    EXPECT_EQ(core_.objects(), follower_.objects().size());
    EXPECT_TRUE(core_.synced());
    EXPECT_EQ(core_.problem(), "");
    EXPECT_EQ(core_.counters().lists, lists) << "nothing was missing";
    EXPECT_LE(server_.requests() - requests, 13u) << "a watch lasts at least 5 minutes";
  }

  ReflectorOptions options() {
    return {.type = kType,
            .namespace_ = selection_.namespace_,
            .label_selector = selection_.labels,
            .content = one_in(3) ? Content::kMetadata : Content::kFull,
            .page_limit = 1 + below(9),
            .line_bytes_max = 4 << 10};
  }

  void draw_faults() {
    FakeApiServer::Faults faults;
    for (double* each : {&faults.refused, &faults.broken, &faults.hangs, &faults.cut,
                         &faults.closed, &faults.slow, &faults.expired, &faults.error_event,
                         &faults.garbage, &faults.endless_line, &faults.repeated, &faults.behind}) {
      if (one_in(3)) *each = std::uniform_real_distribution<>(0, one_in(4) ? 0.9 : 0.2)(random_);
    }
    server_.set_faults(faults);
  }

  void write() {
    const ObjectKey key{one_in(2) ? "a" : "b", fmt::format("o{}", below(12))};
    if (one_in(3)) {
      server_.remove(kType, key);
      if (one_in(3)) server_.put(kType, key, R"({"data":{"n":"again"}})");
    } else {
      server_.put(kType, key,
                  fmt::format(R"({{"metadata":{{"labels":{{"app":"{}"}}}},"data":{{"n":"{}"}}}})",
                              one_in(3) ? "y" : "x", ++writes_));
    }
  }
  void write_other() {
    server_.put(kOther, {"a", "other"}, fmt::format(R"({{"data":{{"n":"{}"}}}})", ++writes_));
  }

  // Lets `time` pass, in steps at which the network delivers something.
  void pass(milliseconds time) {
    const Time end = now_ + time;
    while (now_ < end && sound()) {
      now_ = std::min(end, now_ + milliseconds(1 + below(one_in(4) ? 1'000 : often_)));
      act();
      deliver();
      act();
    }
    check_rate();
  }

  void act() {
    for (int i = 0;; ++i) {
      ASSERT_LT(i, 4) << "it does not come to rest";
      const auto todo = core_.next(now_);
      if (const auto* send = std::get_if<ReflectorCore::Send>(&todo)) {
        ASSERT_FALSE(stream_) << "a second request";
        stream_ = server_.open({.path = send->path,
                                .headers = {{"Accept", send->accept}},
                                .body = {},
                                .timeout = send->timeout},
                               now_);
        timeout_ = now_ + send->timeout;
        begun_ = false;
        EXPECT_EQ(server_.violation(), "");
      } else if (std::holds_alternative<ReflectorCore::Cancel>(todo)) {
        ASSERT_TRUE(stream_);
        server_.close(*stream_);
        stream_.reset();
      } else {
        EXPECT_GT(std::get<ReflectorCore::Wait>(todo).until, now_);
        return;
      }
    }
  }

  void deliver() {
    if (!stream_) return;
    if (now_ >= timeout_) return end(fail(ErrorCode::kTimeout, "no complete response in time"));
    const auto piece = server_.pull(*stream_, now_);
    const bool begins = piece.status != 0 && !std::exchange(begun_, true);
    if (begins) core_.on_bytes(piece.status, "", now_, follower_);
    if (!piece.bytes.empty()) core_.on_bytes(piece.status, piece.bytes, now_, follower_);
    switch (piece.state) {
      case FakeApiServer::State::kOpen:
        return;
      case FakeApiServer::State::kEnded:
        return end(ReflectorCore::ResponseEnd{piece.status, piece.retry_after});
      case FakeApiServer::State::kBroken:
        return end(fail(ErrorCode::kUnavailable, "connection reset"));
    }
  }

  void end(const Result<ReflectorCore::ResponseEnd>& result) {
    core_.on_end(result, now_, follower_);
    server_.close(*stream_);
    stream_.reset();
  }

  // However it fails: pages of a list apart, about one request a second in the long run.
  void check_rate() {
    const auto passed = std::chrono::duration_cast<seconds>(now_ - Time()).count();
    EXPECT_LT(server_.requests(), 60u + static_cast<uint64_t>(passed) * 3) << core_.problem();
  }

  std::mt19937_64 random_;
  FakeApiServer server_;
  const FakeApiServer::Selection selection_;
  Follower follower_;
  ReflectorCore core_;
  Time now_{};
  Time timeout_{};
  std::optional<FakeApiServer::StreamId> stream_;
  bool begun_ = false;  // its status has come
  int often_ = 50;      // ms, between most deliveries
  int writes_ = 0;
  const bool fails_;
};

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(ReflectorSimulation, ShowsWhatWasThereAndAtLastWhatThereIs) {
  const uint64_t first = from_environment("SEED", 1);
  const uint64_t runs = from_environment("RUNS", std::getenv("SEED") == nullptr ? 20 : 1);
  std::cout << "schedules of seeds " << first << " to " << first + runs - 1 << "\n";
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE(fmt::format("SEED={}", seed));
    Schedule(seed).run();
    if (HasFailure()) break;
  }
}

TEST(ReflectorSimulation, AsksLittleOfAServerThatAlwaysFails) {
  const std::pair<const char*, FakeApiServer::Faults> cases[] = {
      {"refused", {.refused = 1}},       {"broken", {.broken = 1}},
      {"broken later", {.broken = 0.5}}, {"hangs", {.hangs = 1}},
      {"cut", {.cut = 1, .closed = 1}},  {"closed", {.closed = 1}},
      {"expired", {.expired = 1}},       {"error event", {.error_event = 1}},
      {"garbage", {.garbage = 1}},       {"endless line", {.endless_line = 1}},
  };
  for (const auto& [name, faults] : cases) {
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      SCOPED_TRACE(fmt::format("{}, seed {}", name, seed));
      // Full jitter up to 30 s: one each 15 s; and a list that succeeds has its watch at once.
      EXPECT_LT(Schedule(seed).suffer(faults), 30u * 60 / 15 * 2 + 30);
    }
  }
}

}  // namespace
}  // namespace searchsync::kube
