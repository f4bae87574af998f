#include "operator/cluster/work_queue.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::cluster {

std::string_view to_string(Urgency urgency) {
  switch (urgency) {
    case Urgency::kEdit:
      return "edit";
    case Urgency::kWorld:
      return "world";
    case Urgency::kTimer:
      return "timer";
  }
  CHECK(false);
}

void QueueCore::add(const std::string& key, Urgency urgency, Time now) {
  forget(key);
  if (const auto busy = working_.find(key); busy != working_.end()) {
    auto& again = busy->second.again;
    if (!again) {
      again = {urgency, now};
    } else if (urgency < again->first) {
      again->first = urgency;
    }
    return;
  }
  const auto [place, added] = waiting_.try_emplace(key, urgency, now, next_number_);
  if (added) {
    ++next_number_;
  } else if (urgency < place->second.urgency) {
    order_.erase({{place->second.urgency, place->second.number}, key});
    place->second.urgency = urgency;
  } else {
    return;
  }
  order_.insert({{place->second.urgency, place->second.number}, key});
}

void QueueCore::add_at(const std::string& key, Time at, Urgency urgency) {
  if (waiting_.contains(key)) return;
  if (const auto known = timers_.find(key); known != timers_.end()) {
    if (known->second.at <= at) return;
    forget(key);
  }
  timers_[key] = {at, urgency};
  timer_order_.insert({at, key});
}

void QueueCore::forget(const std::string& key) {
  const auto known = timers_.find(key);
  if (known == timers_.end()) return;
  timer_order_.erase({known->second.at, key});
  timers_.erase(known);
}

void QueueCore::expire(Time now) {
  while (!timer_order_.empty() && timer_order_.begin()->first <= now) {
    const auto [at, key] = *timer_order_.begin();
    add(key, timers_.at(key).urgency, at);
  }
}

std::optional<QueueCore::Item> QueueCore::take(Time now) {
  expire(now);
  if (order_.empty()) return std::nullopt;
  const auto key = order_.begin()->second;
  const auto found = waiting_.find(key);
  const bool other = found->second.urgency != Urgency::kEdit;
  if (other && others_ >= others_max_) return std::nullopt;
  if (other) ++others_;
  order_.erase(order_.begin());
  Item item{.key = key, .urgency = found->second.urgency, .since = found->second.since};
  waiting_.erase(found);
  working_.emplace(key, Working{item.urgency, std::nullopt});
  return item;
}

void QueueCore::done(const std::string& key, Time now) {
  const auto busy = working_.find(key);
  CHECK(busy != working_.end(), "{} was not taken", key);
  const auto [urgency, again] = busy->second;
  working_.erase(busy);
  if (urgency != Urgency::kEdit) --others_;
  if (again) add(key, again->first, std::min(again->second, now));
}

std::optional<QueueCore::Time> QueueCore::next_timer() const {
  if (timer_order_.empty()) return std::nullopt;
  return timer_order_.begin()->first;
}

void WorkQueue::add(const std::string& key, Urgency urgency) {
  {
    const std::lock_guard lock(mutex_);
    core_.add(key, urgency, QueueCore::Time::clock::now());
    ++changes_;
  }
  added_.notify_one();
}

void WorkQueue::add_after(const std::string& key, std::chrono::milliseconds delay,
                          Urgency urgency) {
  {
    const std::lock_guard lock(mutex_);
    core_.add_at(key, QueueCore::Time::clock::now() + delay, urgency);
    ++changes_;
  }
  // Who waits may have to wake up earlier now.
  added_.notify_one();
}

std::optional<WorkQueue::Item> WorkQueue::take(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (auto item = core_.take(QueueCore::Time::clock::now())) {
      if (core_.waiting() > 0) added_.notify_one();
      return item;
    }
    const auto woken = [this, seen = changes_] { return changes_ != seen; };
    if (const auto timer = core_.next_timer()) {
      added_.wait_until(lock, stop, *timer, woken);
    } else {
      added_.wait(lock, stop, woken);
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    core_.done(key, QueueCore::Time::clock::now());
    ++changes_;
  }
  added_.notify_one();
}

size_t WorkQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return core_.waiting();
}

}  // namespace searchsync::cluster
