#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace searchsync::cluster {

// The order in which waiting keys are taken.
enum class Urgency {
  kEdit,   // a person waits for it
  kWorld,  // something happened
  kTimer,  // it is time to look again
};

std::string_view to_string(Urgency urgency);  // "edit"

// Which key to work on next. A key waits once, however often it was added; one that is being worked
// on is not handed out again before it is done. Pure: time is an argument. Not thread-safe.
class QueueCore {
 public:
  // others_max: how many may be worked on at a time that are no edits.
  explicit QueueCore(size_t others_max = SIZE_MAX) : others_max_(others_max) {}

  using Time = std::chrono::steady_clock::time_point;
  struct Item {
    std::string key;
    Urgency urgency = Urgency::kTimer;
    Time since;  // when it was first added, or when its time had come
  };

  void add(const std::string& key, Urgency urgency, Time now);
  // When nothing else adds it before. A later time than one that is known already is ignored.
  void add_at(const std::string& key, Time at, Urgency urgency = Urgency::kTimer);
  // Of the most urgent the one that waits longest. Nothing: none waits that may be worked on.
  std::optional<Item> take(Time now);
  void done(const std::string& key, Time now);

  size_t waiting() const { return waiting_.size(); }
  // When take() may have something that it has not now; none: not before somebody adds.
  std::optional<Time> next_timer() const;

 private:
  // Of a time that was set for it.
  void forget(const std::string& key);
  void expire(Time now);

  struct Waiting {
    Urgency urgency;
    Time since;
    uint64_t number;
  };
  std::map<std::string, Waiting> waiting_;
  std::set<std::pair<std::pair<Urgency, uint64_t>, std::string>> order_;
  struct Working {
    Urgency urgency;
    std::optional<std::pair<Urgency, Time>> again;  // it was added meanwhile
  };
  const size_t others_max_;
  std::map<std::string, Working> working_;
  size_t others_ = 0;  // of those that are worked on
  struct Timer {
    Time at;
    Urgency urgency;
  };
  std::map<std::string, Timer> timers_;
  std::set<std::pair<Time, std::string>> timer_order_;
  uint64_t next_number_ = 0;
};

// QueueCore for several threads.
class WorkQueue {
 public:
  using Item = QueueCore::Item;

  explicit WorkQueue(size_t others_max) : core_(others_max) {}

  void add(const std::string& key, Urgency urgency);
  void add_after(const std::string& key, std::chrono::milliseconds delay,
                 Urgency urgency = Urgency::kTimer);
  // Waits for one. Nothing: stop was requested.
  std::optional<Item> take(const std::stop_token& stop);
  void done(const std::string& key);
  size_t waiting() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any added_;
  QueueCore core_;        // guarded by mutex_
  uint64_t changes_ = 0;  // guarded by mutex_
};

}  // namespace searchsync::cluster
