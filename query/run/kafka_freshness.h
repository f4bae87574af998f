#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"
#include "lib/kafka/consumer.h"
#include "lib/model/role_config.h"
#include "query/freshness.h"
#include "query/run/freshness_source.h"

namespace searchsync::query {

// Asks Kafka, when somebody asks for it and at most once a second: who asks in between is told the
// same. Until the first time nothing is connected. Kafka that does not answer within kTimeout is
// "unknown", not an error of the query.
class KafkaFreshness final : public FreshnessSource {
 public:
  static constexpr std::chrono::seconds kKeep{1};
  static constexpr std::chrono::seconds kTimeout{2};

  KafkaFreshness(const model::PipelineConfig& config, kafka::ClientConfig kafka);
  ~KafkaFreshness() override;

  std::string json() override;

 private:
  using Clock = std::chrono::steady_clock;
  // The partitions that are behind, by where they go on.
  using Behind = std::map<kafka::TopicPartition, PartitionProgress*>;
  using Commits = std::map<kafka::TopicPartition, int64_t>;

  Result<Progress> read();
  Result<void> connect();
  Result<Commits> commits(const std::string& group, const std::string& topic);
  Result<std::vector<PartitionProgress>> ends(const std::string& topic, const Commits& commits);
  // Fills in the time of the first missing record of each, as far as it is found in time.
  void read_oldest(Behind behind);
  Result<void> check_time() const;

  struct Source {
    std::string binding;
    std::string topic;
  };

  const std::string index_;
  const std::string document_log_;
  const std::string route_group_;
  const std::string fold_group_;
  const std::vector<Source> sources_;
  const kafka::ClientConfig kafka_;

  std::mutex mutex_;
  // Guarded by mutex_, all of it.
  std::unique_ptr<kafka::Admin> admin_;
  std::unique_ptr<kafka::Consumer> reader_;
  Clock::time_point deadline_{};
  Clock::time_point read_at_{};
  std::string known_;
};

}  // namespace searchsync::query
