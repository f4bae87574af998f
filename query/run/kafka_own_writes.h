#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "query/run/engine.h"
#include "query/run/kafka_look.h"
#include "query/run/own_writes.h"
#include "query/run/shared_refreshes.h"

namespace searchsync::query {

// One thread looks at Kafka as long as anybody waits, for all who wait. Then the index is
// refreshed, and it is asked whether the alias still leads to it.
class KafkaOwnWrites final : public OwnWrites {
 public:
  static constexpr size_t kWaitersMax = 128;

  // `engine` must outlive this.
  KafkaOwnWrites(const model::PipelineConfig& config, kafka::ClientConfig kafka, Engine& engine);
  ~KafkaOwnWrites() override;

  const std::string& index() const override { return index_; }
  Waited wait(const std::vector<positions::Token>& tokens, Clock::time_point until) override;

 private:
  void run(const std::stop_token& stop);
  std::string refresh(Clock::time_point until);

  const Ways ways_;
  const std::string alias_;
  const std::string index_;
  const std::string all_;  // of it and its partitions, in a path
  Engine& engine_;
  SharedRefreshes refreshes_;
  KafkaLook look_;  // the thread's

  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable_any changed_;
  std::list<OwnWrite> waiting_;

  std::jthread thread_;  // last: it uses the others
};

}  // namespace searchsync::query
