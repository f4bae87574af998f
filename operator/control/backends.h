#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/secrets.h"
#include "operator/control/engine.h"
#include "operator/control/log_cluster.h"
#include "operator/control/notes.h"
#include "operator/plan/plan.h"

namespace searchsync::control {

// The search engines and Kafkas of the indices. Those that are reached in the same way share a
// connection. Thread-safe.
class Backends {
 public:
  // Whether somebody reads the sources of an index; if not, woken() tells of what arrives.
  enum class Awake { kNo, kYes };

  // On whose behalf.
  struct Access {
    const model::SearchIndex& index;
    const model::SecretStore& secrets;
    // By secret, another one whenever an entry is: connections that need it are made anew then.
    const std::map<std::string, std::string>& secret_hashes;
    Awake awake = Awake::kYes;
  };

  // Fills in all of `seen` but failure and notes. bindings: of the declared resources; none if they
  // are declared no longer. What cannot be reached is a fault in `seen`.
  void observe(const Access& access, std::span<const model::SourceBinding> bindings,
               plan::ObservedIndex& seen);

  // Those of the indices that were observed last as not awake in whose sources there are other
  // records now than then, or than when this last returned them. One question to each Kafka, for
  // all of them. What cannot be reached wakes nobody.
  std::vector<plan::ObjectKey> woken();

  // Of an index that is no more.
  void forget(const plan::ObjectKey& index);

  // Steps that concern processes are a bug here.
  Result<void> execute(const plan::Step& step, const Access& access, Notes& notes);

 private:
  using Clock = std::chrono::steady_clock;

  // Shared, because a connection that is replaced may still be in use.
  template <class Connection>
  struct Pool {
    struct Entry {
      std::shared_ptr<Connection> connection;
      Clock::time_point used;
    };
    std::map<std::string, Entry> entries;  // by all that decides on where and as whom to connect
  };

  // Of the sources of one index.
  struct Arrivals {
    Clock::time_point at;
    int64_t records = 0;
    std::optional<double> per_second;
  };
  // Whose sources nobody reads.
  struct Sleeper {
    std::shared_ptr<LogCluster> cluster;
    std::set<std::string> topics;
    int64_t records = 0;  // in all of them together
  };
  // Records a second since the last time.
  std::optional<double> arrivals(const plan::ObjectKey& index, int64_t records);

  Result<std::shared_ptr<Engine>> engine(const Access& access);
  Result<std::shared_ptr<LogCluster>> cluster(const Access& access);
  template <class Connection, class Connect>
  Result<std::shared_ptr<Connection>> find(Pool<Connection>& pool, const std::string& key,
                                           Connect connect);

  template <class Action>
  Result<void> on_engine(const Access& access, const Action& action);
  template <class Action>
  Result<void> on_cluster(const Access& access, const Action& action);
  Result<void> send_lead(const Access& access, const plan::SendLead& action, Notes& notes);
  Result<void> send_begin(const Access& access, const plan::SendBegin& action, Notes& notes);

  std::mutex mutex_;
  Pool<Engine> engines_;                          // guarded by mutex_
  Pool<LogCluster> clusters_;                     // guarded by mutex_
  std::map<plan::ObjectKey, Arrivals> arrivals_;  // guarded by mutex_
  std::map<plan::ObjectKey, Sleeper> sleepers_;   // guarded by mutex_
  Clock::time_point pruned_;                      // when old arrivals_ were; guarded by mutex_
};

}  // namespace searchsync::control
