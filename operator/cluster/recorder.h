#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "lib/kube/client.h"
#include "operator/cluster/store.h"

namespace searchsync::cluster {

enum class EventType { kNormal, kWarning };

// Events for people: `kubectl describe` and `kubectl events` show them. The same event again within
// a while is counted, not written anew. Thread-safe.
class Recorder {
 public:
  // instance: which operator says so. `client` must outlive this.
  Recorder(kube::Client& client, std::string instance)
      : client_(client), instance_(std::move(instance)) {}

  // reason: CamelCase, of a closed set. action: what was done or tried, CamelCase. An event that
  // cannot be written is logged and lost: events are no state.
  void record(const kube::ResourceType& type, const Meta& object, EventType event,
              std::string_view reason, std::string_view action, std::string_view note);

  static constexpr std::chrono::minutes kSeries{6};

 private:
  using Clock = std::chrono::steady_clock;
  // uid, reason, note.
  using Key = std::tuple<std::string, std::string, std::string>;
  struct Entry {
    std::string name;
    Clock::time_point last;
    int count = 1;
  };

  kube::Client& client_;
  const std::string instance_;
  std::mutex mutex_;
  std::map<Key, Entry> entries_;  // guarded by mutex_
};

}  // namespace searchsync::cluster
