#include "operator/control/topic_listing.h"

namespace searchsync::control {

Result<TopicListing::Topics> TopicListing::recent(Time now) {
  std::unique_lock lock(mutex_);
  if (done_ > 0 && now - listed_at_ < keep_) return last_;
  // One that is under way is recent enough.
  return listing(lock, done_ + 1, now);
}

Result<TopicListing::Topics> TopicListing::current(Time now) {
  std::unique_lock lock(mutex_);
  return listing(lock, begun_ + 1, now);
}

// Of the listing with that number, or a later one; who comes first makes it for all.
Result<TopicListing::Topics> TopicListing::listing(std::unique_lock<std::mutex>& lock,
                                                   uint64_t number, Time now) {
  for (;;) {
    if (done_ >= number) return last_;
    if (begun_ == done_) break;
    ended_.wait(lock);
  }
  ++begun_;
  lock.unlock();
  auto listed = list_();
  lock.lock();
  if (listed) {
    std::erase_if(made_, [&](const auto& one) { return one.second.at < now - kSpread; });
    for (const auto& [topic, made] : made_) listed->emplace(topic, made.partitions);
    last_ = std::make_shared<const kafka::TopicSizes>(std::move(*listed));
  } else {
    last_ = std::unexpected(listed.error());
  }
  listed_at_ = now;
  done_ = begun_;
  ended_.notify_all();
  return last_;
}

template <class Change>
void TopicListing::change(Change change) {
  if (!last_ || *last_ == nullptr) return;
  auto topics = **last_;
  change(topics);
  last_ = std::make_shared<const kafka::TopicSizes>(std::move(topics));
}

void TopicListing::created(const std::string& topic, int32_t partitions, Time now) {
  const std::lock_guard lock(mutex_);
  made_[topic] = {partitions, now};
  change([&](kafka::TopicSizes& topics) { topics.emplace(topic, partitions); });
}

void TopicListing::deleted(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  made_.erase(topic);
  change([&](kafka::TopicSizes& topics) { topics.erase(topic); });
}

}  // namespace searchsync::control
