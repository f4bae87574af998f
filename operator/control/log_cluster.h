#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/dead_letters/tally.h"
#include "lib/kafka/admin.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"
#include "operator/control/topic_listing.h"
#include "operator/plan/actions.h"
#include "operator/plan/observed.h"
#include "worker/core/message.h"

namespace searchsync::control {

// The Kafka of one SearchIndex, or of many. Thread-safe, if no two threads observe one index.
class LogCluster {
 public:
  // Connects to nothing yet. Errors: kInvalidArgument, kNotFound for a secret.
  static Result<std::unique_ptr<LogCluster>> create(const model::KafkaSpec& spec,
                                                    const model::SecretStore& secrets);

  // Fills in Kafka's part of `seen`, whose generations are known, in the order that ObservedIndex
  // promises. bindings: of the declared resources; empty if they are declared no longer.
  Result<void> observe(const model::SearchIndex& index,
                       std::span<const model::SourceBinding> bindings, plan::ObservedIndex& seen);

  // By topic the records that have ever been in it; without topics that do not exist.
  Result<std::map<std::string, int64_t>> count_records(const std::set<std::string>& topics);

  Result<void> execute(const plan::CreateTopic& action);
  Result<void> execute(const plan::DeleteTopic& action);
  Result<void> execute(const plan::DeleteGroup& action);
  // Returns where the records are, by partition.
  Result<plan::Offsets> execute(const plan::SendLead& action);
  Result<plan::Offsets> execute(const plan::SendBegin& action);

 private:
  LogCluster(kafka::ClientConfig config, std::unique_ptr<kafka::Admin> admin);

  using Offsets = std::map<std::string, std::vector<kafka::PartitionOffsets>>;

  Result<plan::Offsets> send_to_all(const std::string& document_log, int32_t partitions,
                                    const worker::EncodedMessage& record);
  // Without those that are gone.
  Result<Offsets> list_offsets(const kafka::TopicSizes& topics, kafka::Admin::Ends ends);
  Result<void> observe_topics(const kafka::TopicSizes& topics, kafka::Admin::Ends ends,
                              plan::ObservedIndex& seen);
  Result<void> observe_groups(const std::set<std::string>& names, const kafka::TopicSizes& topics,
                              plan::ObservedIndex& seen);
  void count_dead_letters(const std::string& topic, plan::ObservedIndex& seen);
  std::shared_ptr<dead_letters::Tally> tally(const std::string& topic);

  const kafka::ClientConfig config_;
  const std::unique_ptr<kafka::Admin> admin_;
  TopicListing topics_;

  std::mutex mutex_;
  // By topic. Guarded by mutex_; each tally is used by who observes its index. Shared, because the
  // index may be forgotten meanwhile.
  std::map<std::string, std::shared_ptr<dead_letters::Tally>> tallies_;
};

}  // namespace searchsync::control
