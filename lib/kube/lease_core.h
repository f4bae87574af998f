#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace searchsync::kube {

struct LeaseTimes {
  // How long a candidate must have seen the lease unchanged before it takes it.
  std::chrono::milliseconds duration{6'000};
  // How long after its last renewal a leader still leads; at most 2/3 of the duration.
  std::chrono::milliseconds renew_deadline{4'000};
  std::chrono::milliseconds retry_period{1'000};  // between renewals
  std::chrono::milliseconds poll_period{500};     // at which a candidate looks
};

// What of a Lease matters.
struct LeaseRecord {
  std::string holder;                     // empty: nobody
  std::chrono::milliseconds duration{0};  // what its holder asks candidates to wait
  std::string version;                    // the resourceVersion: another after each write
};

// One candidate's part in an election: when to look at the lease, when to write it, and whether it
// leads. Pure: time is an argument, that of the own clock; the times written in the lease are never
// read. Not thread-safe.
//
// Why there is one leader at most: who leads does so until renew_deadline after it *sent* its last
// write that succeeded. Who takes the lease over has seen that write's version, after it was
// written, for at least `duration`, and writes on the condition that it is still that version. Who
// finds no lease creates it, but leads only after `duration`: it may have been deleted under a
// leader, who cannot renew it any more.
class LeaseCore {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // identity: not empty; no other candidate's, nor that of an earlier run.
  LeaseCore(std::string identity, LeaseTimes times);

  struct Look {};  // read the lease
  // Write it with us as holder, if it still has this version; empty: create it.
  struct Take {
    std::string version;
  };
  struct Wait {
    Time until;
  };
  using Todo = std::variant<Look, Take, Wait>;

  // What to do now. Look and Take are answered by one of the following, and only one is under way.
  Todo next(Time now) const;

  void on_seen(const std::optional<LeaseRecord>& record, Time now);  // nothing: there is no lease
  // Our write succeeded. asked: when next() said so, before it was sent.
  void on_taken(const LeaseRecord& record, Time asked, Time now);
  void on_conflict(Time now);  // the lease had another version
  // No answer, or another error: it may have been written all the same.
  void on_failed(Time now);

  bool leads(Time now) const { return leads_from_ <= now && now < leads_until_; }
  Time leads_from() const { return leads_from_; }
  Time leads_until() const { return leads_until_; }
  const std::string& holder() const { return record_.holder; }  // as last seen

  // Leads no more. Returns the version on the condition of which the lease may be given back;
  // nothing if it is not ours to give.
  std::optional<std::string> release(Time now);

 private:
  // Nobody may ask candidates to wait for longer.
  static constexpr std::chrono::minutes kDurationMax{10};

  const std::string identity_;
  const LeaseTimes times_;

  enum class Knowledge { kNone, kMissing, kRecord };
  Knowledge knowledge_ = Knowledge::kNone;
  LeaseRecord record_;
  Time seen_{};                    // record_.version for the first time
  bool sure_ = false;              // that it was like this of late
  bool may_have_created_ = false;  // by a request whose answer was lost
  Time act_{};                     // the next look or renewal
  Time leads_from_ = Time::min();
  Time leads_until_ = Time::min();
};

}  // namespace searchsync::kube
