#include "operator/control/log_cluster.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/log.h"
#include "lib/kafka/connect.h"
#include "lib/kafka/producer.h"
#include "lib/model/pipeline.h"
#include "operator/plan/renew.h"

namespace searchsync::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::seconds kReachableTimeout{3};
// Of one round: dead letters must not hold up what else there is to do. What is left is counted in
// the next.
constexpr std::chrono::seconds kCountMax{2};
// How long what is listed is used for several indices.
constexpr std::chrono::seconds kKeepTopics{1};

// What to look at, worked out before anything is read.
struct Names {
  std::set<std::string> sources;  // of changes and of events
  std::set<std::string> tables;
  std::set<std::string> logs;
  std::set<std::string> aggregate_groups;
  std::set<std::string> route_groups;
  std::set<std::string> fold_groups;

  void add(const model::SearchIndex& index, std::span<const model::SourceBinding> bindings) {
    if (bindings.empty()) return;
    for (const auto& binding : bindings) {
      sources.insert(model::source_topic(binding.spec.source));
      if (!binding.spec.aggregate) continue;
      const auto table = model::row_topic(binding);
      tables.insert(table);
      aggregate_groups.insert(model::aggregate_group(table));
    }
    logs.insert(model::document_log_name(index, bindings));
    route_groups.insert(model::route_group(index, bindings));
  }
};

kafka::TopicSizes starting_with(const std::string& prefix, const kafka::TopicSizes& topics) {
  kafka::TopicSizes found;
  for (auto one = topics.lower_bound(prefix); one != topics.end() && one->first.starts_with(prefix);
       ++one) {
    found.insert(*one);
  }
  return found;
}

}  // namespace

LogCluster::LogCluster(kafka::ClientConfig config, std::unique_ptr<kafka::Admin> admin)
    : config_(std::move(config)),
      admin_(std::move(admin)),
      topics_(
          [this]() -> Result<kafka::TopicSizes> {
            RETURN_IF_ERROR(admin_->check_reachable(kReachableTimeout));
            return admin_->list_topics();
          },
          kKeepTopics) {}

Result<std::unique_ptr<LogCluster>> LogCluster::create(const model::KafkaSpec& spec,
                                                       const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(auto config, kafka::client_config(spec, secrets, "searchsync-operator"));
  ASSIGN_OR_RETURN(auto admin, kafka::Admin::create(config, {.timeout = kTimeout}));
  return std::unique_ptr<LogCluster>(new LogCluster(std::move(config), std::move(admin)));
}

Result<void> LogCluster::observe(const model::SearchIndex& index,
                                 std::span<const model::SourceBinding> bindings,
                                 plan::ObservedIndex& seen) {
  Names names;
  names.add(index, bindings);
  if (!bindings.empty()) {
    names.fold_groups.insert(model::fold_group(index, plan::declared_name(seen, index, bindings)));
  }
  for (const auto& generation : seen.generations) {
    if (generation.recipe) names.add(index, generation.recipe->bindings);
    names.logs.insert(generation.document_log);
    names.fold_groups.insert(model::fold_group(index, generation.index));
  }
  const auto dead_letters = model::dead_letter_topic(index);
  ASSIGN_OR_RETURN(auto topics, topics_.recent(Clock::now()));
  const auto exists = [&](const std::string& name) { return topics->contains(name); };
  if (!std::ranges::all_of(names.sources, exists) || !std::ranges::all_of(names.logs, exists) ||
      !std::ranges::all_of(names.tables, exists) || !exists(dead_letters)) {
    // That something is not there is a reason to make it, or to give up what needs it.
    ASSIGN_OR_RETURN(topics, topics_.current(Clock::now()));
  }
  kafka::TopicSizes sources;
  for (const auto& name : names.sources) {
    if (exists(name)) sources.emplace(name, topics->at(name));
  }
  kafka::TopicSizes own;
  if (exists(dead_letters)) own.emplace(dead_letters, topics->at(dead_letters));
  own.merge(starting_with(dead_letters.substr(0, dead_letters.rfind('.') + 1) + "log-", *topics));
  const auto tables = starting_with(model::table_prefix(index), *topics);
  using enum kafka::Admin::Ends;
  RETURN_IF_ERROR(observe_topics(sources, kCommitted, seen));
  RETURN_IF_ERROR(observe_groups(names.aggregate_groups, sources, seen));
  // What is committed of the events was in the table before, be it visible yet or not.
  RETURN_IF_ERROR(observe_topics(tables, kAll, seen));
  auto routed = sources;
  routed.insert(tables.begin(), tables.end());
  RETURN_IF_ERROR(observe_groups(names.route_groups, routed, seen));
  RETURN_IF_ERROR(observe_groups(names.fold_groups, own, seen));
  RETURN_IF_ERROR(observe_topics(own, kCommitted, seen));
  count_dead_letters(dead_letters, seen);
  return {};
}

void LogCluster::count_dead_letters(const std::string& topic, plan::ObservedIndex& seen) {
  const auto found = seen.topics.find(topic);
  if (found == seen.topics.end()) {
    const std::lock_guard lock(mutex_);
    tallies_.erase(topic);
    return;
  }
  std::vector<kafka::PartitionOffsets> offsets;
  for (size_t p = 0; p < found->second.end.size(); ++p) {
    offsets.push_back(
        {Partition(static_cast<int32_t>(p)), found->second.begin[p], found->second.end[p]});
  }
  const auto counted = tally(topic);
  if (const auto done = counted->catch_up(config_, offsets, kCountMax); !done) {
    log::warning("counting dead letters: {}", done.error().message);
  }
  seen.dead_letters = counted->ledger().counts();
}

std::shared_ptr<dead_letters::Tally> LogCluster::tally(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  auto& place = tallies_[topic];
  if (place == nullptr) {
    place = std::make_shared<dead_letters::Tally>(topic, [](const dead_letters::Letter& letter) {
      return std::optional<std::string>(letter.binding);
    });
  }
  return place;
}

Result<LogCluster::Offsets> LogCluster::list_offsets(const kafka::TopicSizes& topics,
                                                     kafka::Admin::Ends ends) {
  if (topics.empty()) return Offsets();
  auto all = admin_->list_offsets(topics, ends);
  if (all || all.error().code != ErrorCode::kNotFound) return all;
  Offsets found;
  if (topics.size() == 1) return found;
  // One of them is gone since they were listed: the others are not.
  for (const auto& one : topics) {
    ASSIGN_OR_RETURN(auto offsets, list_offsets({one}, ends));
    found.merge(std::move(offsets));
  }
  return found;
}

Result<void> LogCluster::observe_topics(const kafka::TopicSizes& topics, kafka::Admin::Ends ends,
                                        plan::ObservedIndex& seen) {
  ASSIGN_OR_RETURN(const auto all, list_offsets(topics, ends));
  for (const auto& [name, partitions] : all) {
    auto& topic = seen.topics[name];
    for (const auto& partition : partitions) {
      topic.begin.push_back(partition.begin);
      topic.end.push_back(partition.end);
    }
  }
  return {};
}

Result<std::map<std::string, int64_t>> LogCluster::count_records(
    const std::set<std::string>& topics) {
  ASSIGN_OR_RETURN(const auto listed, topics_.recent(Clock::now()));
  kafka::TopicSizes sizes;
  for (const auto& name : topics) {
    const auto found = listed->find(name);
    if (found != listed->end()) sizes.insert(*found);
  }
  ASSIGN_OR_RETURN(const auto all, list_offsets(sizes, kafka::Admin::Ends::kCommitted));
  std::map<std::string, int64_t> records;
  for (const auto& [name, partitions] : all) {
    for (const auto& partition : partitions) records[name] += partition.end.get();
  }
  return records;
}

Result<void> LogCluster::observe_groups(const std::set<std::string>& names,
                                        const kafka::TopicSizes& topics,
                                        plan::ObservedIndex& seen) {
  std::vector<kafka::TopicPartition> partitions;
  for (const auto& [topic, count] : topics) {
    for (int32_t p = 0; p < count; ++p) partitions.push_back({topic, Partition(p)});
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
  if (!created && created.error().code != ErrorCode::kConflict) return created;
  if (created) topics_.created(action.topic, action.partitions, Clock::now());
  return {};
}

Result<void> LogCluster::execute(const plan::DeleteTopic& action) {
  auto deleted = admin_->delete_topic(action.topic);
  if (!deleted && deleted.error().code != ErrorCode::kNotFound) return deleted;
  topics_.deleted(action.topic);
  return {};
}

Result<void> LogCluster::execute(const plan::DeleteGroup& action) {
  auto deleted = admin_->delete_group(action.group);
  if (deleted || deleted.error().code == ErrorCode::kNotFound) return {};
  // Its members were stopped: the broker notices when they say so, or when their session ends.
  if (deleted.error().code == ErrorCode::kConflict) {
    return fail(ErrorCode::kUnavailable, deleted.error().message);
  }
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
