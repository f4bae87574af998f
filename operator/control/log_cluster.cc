#include "operator/control/log_cluster.h"

#include <fmt/core.h>

#include "lib/kafka/producer.h"
#include "lib/model/pipeline.h"

namespace searchsync::control {
namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::seconds kReachableTimeout{3};

// What to look at, worked out before anything is read.
struct Names {
  std::set<std::string> sources;
  std::set<std::string> route_groups;
  std::set<std::string> fold_groups;

  void add(const model::SearchIndex& index, std::span<const model::SourceBinding> bindings) {
    if (bindings.empty()) return;
    for (const auto& binding : bindings) sources.insert(model::source_topic(binding.spec.source));
    route_groups.insert(model::route_group(index, bindings));
    fold_groups.insert(model::fold_group(index, model::generation_index_name(index, bindings)));
  }
};

}  // namespace

LogCluster::LogCluster(model::KafkaSpec spec, kafka::ClientConfig config,
                       std::unique_ptr<kafka::Admin> admin)
    : spec_(std::move(spec)), config_(std::move(config)), admin_(std::move(admin)) {}

Result<std::unique_ptr<LogCluster>> LogCluster::create(const model::KafkaSpec& spec,
                                                       const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(const auto credentials, model::kafka_credentials(secrets, spec));
  kafka::ClientConfig config;
  config.bootstrap_servers = spec.bootstrap_servers;
  config.client_id = "searchsync-operator";
  if (!credentials.mechanism.empty()) {
    config.sasl = {credentials.mechanism, credentials.username, credentials.password};
  }
  if (credentials.encryption == model::Encryption::kTls) config.ca_pem = credentials.ca_pem;
  ASSIGN_OR_RETURN(auto admin, kafka::Admin::create(config, {.timeout = kTimeout}));
  return std::unique_ptr<LogCluster>(new LogCluster(spec, std::move(config), std::move(admin)));
}

Result<void> LogCluster::observe(const model::SearchIndex& index,
                                 std::span<const model::SourceBinding> bindings,
                                 plan::ObservedIndex& seen) {
  RETURN_IF_ERROR(admin_->check_reachable(kReachableTimeout));
  Names names;
  names.add(index, bindings);
  for (const auto& generation : seen.generations) {
    if (generation.recipe) names.add(index, generation.recipe->bindings);
    names.fold_groups.insert(model::fold_group(index, generation.index));
  }
  const auto dead_letters = model::dead_letter_topic(index);
  const auto prefix = dead_letters.substr(0, dead_letters.rfind('.') + 1);
  ASSIGN_OR_RETURN(const auto existing, admin_->list_topics());
  std::set<std::string> sources;
  std::set<std::string> own;
  for (const auto& topic : existing) {
    if (names.sources.contains(topic)) sources.insert(topic);
    if (topic == dead_letters || topic.starts_with(prefix + "log-")) own.insert(topic);
  }
  RETURN_IF_ERROR(observe_topics(sources, seen));
  RETURN_IF_ERROR(observe_groups(names.route_groups, sources, seen));
  RETURN_IF_ERROR(observe_groups(names.fold_groups, own, seen));
  return observe_topics(own, seen);
}

Result<void> LogCluster::observe_topics(const std::set<std::string>& names,
                                        plan::ObservedIndex& seen) {
  for (const auto& name : names) {
    const auto partitions = admin_->list_offsets(name);
    if (!partitions && partitions.error().code == ErrorCode::kNotFound) continue;
    if (!partitions) return std::unexpected(partitions.error());
    auto& topic = seen.topics[name];
    for (const auto& partition : *partitions) {
      topic.begin.push_back(partition.begin);
      topic.end.push_back(partition.end);
    }
  }
  return {};
}

Result<void> LogCluster::observe_groups(const std::set<std::string>& names,
                                        const std::set<std::string>& topics,
                                        plan::ObservedIndex& seen) {
  std::vector<kafka::TopicPartition> partitions;
  for (const auto& topic : topics) {
    ASSIGN_OR_RETURN(const auto count, admin_->partition_count(topic));
    for (int32_t p = 0; p < count.value_or(0); ++p) partitions.push_back({topic, Partition(p)});
  }
  for (const auto& name : names) {
    ASSIGN_OR_RETURN(const auto offsets, admin_->group_offsets(name, partitions));
    for (const auto& one : offsets) {
      auto& committed = seen.groups[name][one.topic];
      const auto partition = static_cast<size_t>(one.partition.get());
      if (committed.size() <= partition) committed.resize(partition + 1);
      committed[partition] = one.offset;
    }
  }
  return {};
}

Result<void> LogCluster::execute(const plan::CreateTopic& action) {
  auto created = admin_->create_topic({.name = action.topic,
                                       .partitions = action.partitions,
                                       .replication_factor = action.replication_factor,
                                       .config = action.config});
  if (!created && created.error().code == ErrorCode::kConflict) return {};
  return created;
}

Result<void> LogCluster::execute(const plan::DeleteTopic& action) {
  auto deleted = admin_->delete_topic(action.topic);
  if (!deleted && deleted.error().code == ErrorCode::kNotFound) return {};
  return deleted;
}

Result<void> LogCluster::execute(const plan::DeleteGroup& action) {
  auto deleted = admin_->delete_group(action.group);
  if (!deleted && deleted.error().code == ErrorCode::kNotFound) return {};
  return deleted;
}

Result<plan::Offsets> LogCluster::execute(const plan::SendLead& action) {
  return send_to_all(action.document_log, action.partitions,
                     worker::encode_lead(action.generation));
}

Result<plan::Offsets> LogCluster::execute(const plan::SendBegin& action) {
  return send_to_all(action.document_log, action.partitions,
                     worker::encode_begin(action.generation));
}

Result<plan::Offsets> LogCluster::send_to_all(const std::string& document_log, int32_t partitions,
                                              const worker::EncodedMessage& record) {
  plan::Offsets offsets(static_cast<size_t>(partitions));
  std::optional<Error> failed;
  int32_t delivered = 0;
  ASSIGN_OR_RETURN(const auto producer,
                   kafka::Producer::create(config_, {.delivery_timeout = kTimeout},
                                           [&](const kafka::Delivery& delivery) {
                                             if (delivery.error) failed = delivery.error;
                                             offsets[delivery.token] = delivery.offset;
                                             ++delivered;
                                           }));
  for (int32_t p = 0; p < partitions; ++p) {
    RETURN_IF_ERROR(producer->send(document_log, Partition(p), record.key, record.value, {},
                                   static_cast<uint64_t>(p)));
  }
  RETURN_IF_ERROR(producer->flush(2 * kTimeout));
  if (failed) return std::unexpected(*failed);
  if (delivered != partitions) {
    return fail(ErrorCode::kTimeout, "not every partition has acknowledged the record");
  }
  return offsets;
}

}  // namespace searchsync::control
