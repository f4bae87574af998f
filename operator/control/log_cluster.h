#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "lib/base/error.h"
#include "lib/kafka/admin.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"
#include "operator/plan/actions.h"
#include "operator/plan/observed.h"
#include "worker/core/message.h"

namespace searchsync::control {

// The Kafka of one SearchIndex.
class LogCluster {
 public:
  // Connects to nothing yet. Errors: kInvalidArgument, kNotFound for a secret.
  static Result<std::unique_ptr<LogCluster>> create(const model::KafkaSpec& spec,
                                                    const model::SecretStore& secrets);

  const model::KafkaSpec& spec() const { return spec_; }

  // Fills in Kafka's part of `seen`, whose generations are known, in the order that ObservedIndex
  // promises. bindings: of the declared resources; empty if they are declared no longer.
  Result<void> observe(const model::SearchIndex& index,
                       std::span<const model::SourceBinding> bindings, plan::ObservedIndex& seen);

  Result<void> execute(const plan::CreateTopic& action);
  Result<void> execute(const plan::DeleteTopic& action);
  Result<void> execute(const plan::DeleteGroup& action);
  // Returns where the records are, by partition.
  Result<plan::Offsets> execute(const plan::SendLead& action);
  Result<plan::Offsets> execute(const plan::SendBegin& action);

 private:
  LogCluster(model::KafkaSpec spec, kafka::ClientConfig config,
             std::unique_ptr<kafka::Admin> admin);

  Result<plan::Offsets> send_to_all(const std::string& document_log, int32_t partitions,
                                    const worker::EncodedMessage& record);
  Result<void> observe_topics(const std::set<std::string>& names, plan::ObservedIndex& seen);
  Result<void> observe_groups(const std::set<std::string>& names,
                              const std::set<std::string>& topics, plan::ObservedIndex& seen);

  const model::KafkaSpec spec_;
  const kafka::ClientConfig config_;
  const std::unique_ptr<kafka::Admin> admin_;
};

}  // namespace searchsync::control
