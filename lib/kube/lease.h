#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "lib/kube/lease_core.h"
#include "lib/kube/resource.h"

namespace searchsync::metrics {
class Registry;
}

namespace searchsync::kube {

class Transport;

struct LeaderElectionOptions {
  ObjectKey lease;       // of the coordination.k8s.io/v1 Lease, which is created where missing
  std::string identity;  // of this process and this run of it: "<pod>_<random>"
  LeaseTimes times;
};

// Called on the election's thread, in turn; they may hand on the news and nothing that waits.
struct LeaderElectionCallbacks {
  std::function<void()> started_leading;
  // Not by then: at the latest then. is_leader() may say so a moment earlier.
  std::function<void()> stopped_leading;
};

// Takes part in the election of one leader, on a thread of its own, again and again: losing the
// lease is a callback, after which it stands as a candidate as before.
//
// At no time do two is_leader() both say yes, as long as no machine's clock runs faster or slower
// than another's by more than the ratio of lease duration and renew deadline (1.5). What a leader
// has already sent when it loses the lease may still arrive: writes need preconditions of their
// own.
//
// Metric: leader_election_master_status{name}.
class LeaderElection {
 public:
  // `transport` and `registry` must outlive this.
  LeaderElection(Transport& transport, metrics::Registry& registry, LeaderElectionOptions options,
                 LeaderElectionCallbacks callbacks);
  ~LeaderElection();  // release()
  LeaderElection(const LeaderElection&) = delete;
  LeaderElection& operator=(const LeaderElection&) = delete;

  // Thread-safe; asks the clock, so that a process that was paused does not believe what was true
  // before.
  bool is_leader() const;

  // Who holds the lease, as far as is known; empty: nobody. For people. Thread-safe.
  std::string holder() const;

  // Ends the part in it: if it leads, it stops leading (with the callback) and hands the lease
  // back, so that another takes over within a poll period. To be called after what only a leader
  // may do has ended. Waits for the server for at most a renew deadline. For one thread.
  void release();

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
