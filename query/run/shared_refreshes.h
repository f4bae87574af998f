#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace searchsync::query {

// One refresh of an index at a time, for all who wait for one. Thread-safe.
class SharedRefreshes {
 public:
  using Clock = std::chrono::steady_clock;
  // Refreshes, and returns what went wrong; empty: nothing.
  using Refresh = std::function<std::string(Clock::time_point until)>;

  explicit SharedRefreshes(Refresh refresh);

  // Waits for one that began after the call, by whomever. Returns what is missing, by `until`;
  // empty: nothing. What went wrong with that of another, who may have had less time, is tried
  // again.
  std::string join(Clock::time_point until);

 private:
  const Refresh refresh_;
  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable changed_;
  bool under_way_ = false;
  uint64_t begun_ = 0;  // how many
  uint64_t good_ = 0;   // the number of the newest that went well
};

}  // namespace searchsync::query
