#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/kafka/admin.h"

namespace searchsync::control {

// All topics of a Kafka, listed for all who look at it together: the answer grows with what they
// have made, and each of them asking for it would cost its square. Thread-safe.
class TopicListing {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Topics = std::shared_ptr<const kafka::TopicSizes>;  // shared: it may be replaced meanwhile
  using List = std::function<Result<kafka::TopicSizes>()>;

  // list: asks for them; called by one thread at a time. keep: how long its answer is used, whether
  // it is one or a failure.
  TopicListing(List list, std::chrono::milliseconds keep) : list_(std::move(list)), keep_(keep) {}

  // Those of the last `keep`. What is not among them may have been made since, and what is may be
  // gone. Errors: those of `list`.
  Result<Topics> recent(Time now);
  // As they are at some moment after the call. Errors: those of `list`.
  Result<Topics> current(Time now);

  // One that we have made is in all that is returned from then on, even if the broker that is asked
  // has not heard of it yet; one that we have deleted as soon as the brokers say so.
  void created(const std::string& topic, int32_t partitions, Time now);
  void deleted(const std::string& topic);

  // Within which all brokers hear of a topic.
  static constexpr std::chrono::seconds kSpread{30};

 private:
  struct Made {
    int32_t partitions = 0;
    Time at;
  };
  Result<Topics> listing(std::unique_lock<std::mutex>& lock, uint64_t number, Time now);
  template <class Change>
  void change(Change change);

  const List list_;
  const std::chrono::milliseconds keep_;

  std::mutex mutex_;
  std::condition_variable ended_;
  // Guarded by mutex_.
  uint64_t begun_ = 0;  // listings
  uint64_t done_ = 0;
  Time listed_at_;
  Result<Topics> last_;
  std::map<std::string, Made> made_;  // lately, by us
};

}  // namespace searchsync::control
