#include "query/run/shared_refreshes.h"

#include <utility>

namespace searchsync::query {

SharedRefreshes::SharedRefreshes(Refresh refresh) : refresh_(std::move(refresh)) {}

std::string SharedRefreshes::join(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  const uint64_t needed = begun_ + 1;
  while (good_ < needed) {
    if (under_way_) {
      if (changed_.wait_until(lock, until) == std::cv_status::timeout) {
        return "refresh: the search engine takes too long";
      }
      continue;
    }
    under_way_ = true;
    const uint64_t mine = ++begun_;
    lock.unlock();
    std::string problem = refresh_(until);
    lock.lock();
    under_way_ = false;
    if (problem.empty()) good_ = mine;
    changed_.notify_all();
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace searchsync::query
