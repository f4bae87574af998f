// Candidates with clocks of their own that run at different speeds, behind a network that delays,
// loses requests and answers, and is cut; they are paused, crash, and give the lease back; it is
// even deleted. Always: at most one of them leads, at one time. When nothing fails: one does, and
// goes on.
//
// SEED=n replays one election, RUNS=n sets how many are tried.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <vector>

#include "lib/base/overloaded.h"
#include "lib/kube/lease_core.h"

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = LeaseCore::Time;

// The lease as the server has it: written on the condition of its version.
struct Server {
  std::optional<LeaseRecord> record;
  uint64_t version = 0;

  enum class Answer { kDone, kConflict };
  Answer write(const std::string& expected, const std::string& holder, milliseconds duration) {
    if ((record ? record->version : "") != expected) return Answer::kConflict;
    record = {.holder = holder, .duration = duration, .version = std::to_string(++version)};
    return Answer::kDone;
  }
};

class Election;

// A process: its core, its clock, and the one request it has under way.
class Candidate {
 public:
  Candidate(Election& election, int number) : election_(election), number_(number) { restart(); }

  void step();
  void restart();
  void release();
  void pause(Time until) { paused_until_ = until; }
  void cut_off(Time until) { cut_until_ = until; }
  bool leads() const { return core_->leads(local()); }
  const std::string& identity() const { return identity_; }

 private:
  // A request on its way there, or its answer on its way back.
  struct Call {
    std::optional<LeaseCore::Take> take;  // or else a look
    Time asked;                           // by the own clock
    Time arrives;                         // by true time
    Time returns;
    Time given_up;
    bool lost_there = false;
    bool lost_back = false;
    bool arrived = false;
    std::optional<LeaseRecord> seen;
    Server::Answer answer = Server::Answer::kDone;
  };

  Time local() const;
  void send(std::optional<LeaseCore::Take> take);
  void arrive(Call& call, const std::string& identity);
  void finish();
  void abandon();

  Election& election_;
  const int number_;
  int runs_ = 0;
  std::string identity_;
  std::unique_ptr<LeaseCore> core_;
  double speed_ = 1;
  milliseconds offset_{0};
  Time paused_until_{};
  Time cut_until_{};
  bool releasing_ = false;
  std::optional<Call> call_;
  std::vector<std::pair<Call, std::string>> abandoned_;  // by whom
};

class Election {
 public:
  explicit Election(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) candidates_.push_back(std::make_unique<Candidate>(*this, i));
  }

  void run() {
    for (int i = 0; i < 6'000 && sound(); ++i) {
      disturb();
      step();
    }
    fails = false;
    for (auto& candidate : candidates_) {
      candidate->pause({});
      candidate->cut_off({});
    }
    pass(seconds(20));
    const Candidate* leader = this->leader();
    ASSERT_NE(leader, nullptr) << "nobody leads";
    for (int i = 0; i < 100 && sound(); ++i) {
      pass(milliseconds(300));
      ASSERT_EQ(this->leader(), leader) << "another leads without a reason";
    }
    hand_over();
  }

  // One gives the lease back: another leads soon.
  void hand_over() {
    Candidate* const before = leader();
    const std::string identity = before->identity();
    before->release();
    while (sound() && before->identity() == identity) step();
    before->pause(now + seconds(60));
    pass(milliseconds(950));
    ASSERT_NE(leader(), nullptr) << "nobody has taken over";
    EXPECT_NE(leader(), before);
  }

  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }
  double between(double low, double high) {
    return std::uniform_real_distribution<>(low, high)(random_);
  }
  milliseconds latency() {
    if (!fails) return milliseconds(1 + below(20));
    return milliseconds(one_in(8) ? below(6'000) : 1 + below(usual_latency_));
  }

  Server server;
  Time now{seconds(1'000'000)};
  bool fails = true;

 private:
  bool sound() const { return !testing::Test::HasFailure(); }

  void disturb() {
    Candidate& one = *candidates_[static_cast<size_t>(below(3))];
    if (one_in(150)) one.pause(now + milliseconds(below(12'000)));
    if (one_in(150)) one.cut_off(now + milliseconds(below(12'000)));
    if (one_in(400)) one.restart();
    if (one_in(400)) one.release();
    if (one_in(800)) server.record.reset();  // somebody deletes it
  }

  void pass(milliseconds time) {
    const Time end = now + time;
    while (now < end && sound()) step();
  }

  void step() {
    now += milliseconds(1 + below(40));
    for (auto& candidate : candidates_) {
      candidate->step();
      check();
    }
  }

  void check() {
    int leaders = 0;
    for (const auto& candidate : candidates_) leaders += candidate->leads() ? 1 : 0;
    EXPECT_LE(leaders, 1);
  }

  Candidate* leader() {
    for (auto& candidate : candidates_) {
      if (candidate->leads()) return candidate.get();
    }
    return nullptr;
  }

  std::mt19937_64 random_;
  const int usual_latency_ = one_in(2) ? 10 : 300;
  std::vector<std::unique_ptr<Candidate>> candidates_;
};

// Nobody waits for its answer any more, but it may still be on its way.
void Candidate::abandon() {
  if (call_ && !call_->arrived) abandoned_.emplace_back(*call_, identity_);
  call_.reset();
}

void Candidate::restart() {
  abandon();
  identity_ = fmt::format("candidate-{}-{}", number_, ++runs_);
  core_ = std::make_unique<LeaseCore>(identity_, LeaseTimes{});
  // The speed of no two clocks differs by more than 1.46; by what they show they may differ at
  // will.
  speed_ = election_.between(0.82, 1.2);
  offset_ = milliseconds(election_.below(1'000'000'000));
}

Time Candidate::local() const {
  const auto passed = std::chrono::duration<double>(election_.now.time_since_epoch()) * speed_;
  return Time(std::chrono::duration_cast<Time::duration>(passed) + offset_);
}

// Once no request is under way: the lease is given back by who writes it, in turn.
void Candidate::release() {
  releasing_ = true;
  if (call_) return;
  releasing_ = false;
  const auto version = core_->release(local());
  EXPECT_FALSE(leads());
  // As a request that is lost now and then.
  if (version && (!election_.fails || election_.one_in(2))) {
    election_.server.write(*version, "", seconds(1));
  }
  restart();
}

void Candidate::step() {
  // A request goes on its way, whatever becomes of who sent it.
  if (call_ && !call_->arrived && election_.now >= call_->arrives) arrive(*call_, identity_);
  std::erase_if(abandoned_, [&](auto& entry) {
    if (election_.now < entry.first.arrives) return false;
    arrive(entry.first, entry.second);
    return true;
  });
  if (election_.now < paused_until_) return;
  if (call_ && (election_.now >= call_->returns || election_.now >= call_->given_up)) finish();
  if (releasing_) release();
  if (call_) return;
  const auto todo = core_->next(local());
  std::visit(
      Overloaded{[&](const LeaseCore::Look&) { send(std::nullopt); },
                 [&](const LeaseCore::Take& take) { send(take); }, [](const LeaseCore::Wait&) {}},
      todo);
}

void Candidate::send(std::optional<LeaseCore::Take> take) {
  Call call{.take = std::move(take), .asked = local()};
  // Between deciding and sending, a process may be paused.
  const milliseconds late(election_.fails && election_.one_in(30) ? election_.below(9'000) : 0);
  call.arrives = election_.now + late + election_.latency();
  call.returns = call.arrives + election_.latency();
  call.given_up = election_.now + late + seconds(2);
  const bool cut = election_.now < cut_until_;
  call.lost_there = cut || (election_.fails && election_.one_in(20));
  call.lost_back = election_.fails && election_.one_in(20);
  call_ = std::move(call);
}

void Candidate::arrive(Call& call, const std::string& identity) {
  call.arrived = true;
  if (call.lost_there) return;
  if (call.take) {
    call.answer = election_.server.write(call.take->version, identity, seconds(6));
  }
  call.seen = election_.server.record;
}

void Candidate::finish() {
  const Call call = *call_;
  abandon();
  const Time now = local();
  const bool answered =
      call.arrived && !call.lost_there && !call.lost_back && election_.now >= call.returns;
  if (!answered) {
    core_->on_failed(now);
  } else if (!call.take) {
    core_->on_seen(call.seen, now);
  } else if (call.answer == Server::Answer::kConflict) {
    core_->on_conflict(now);
  } else {
    core_->on_taken(*call.seen, call.asked, now);
  }
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(LeaseSimulation, OneLeadsAtMostAndAtLastOneDoes) {
  const uint64_t first = from_environment("SEED", 1);
  const uint64_t runs = from_environment("RUNS", std::getenv("SEED") == nullptr ? 100 : 1);
  std::cout << "elections of seeds " << first << " to " << first + runs - 1 << "\n";
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE(fmt::format("SEED={}", seed));
    Election(seed).run();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace searchsync::kube
