#include "lib/kafka/admin.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>

#include "lib/kafka/conf.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partition_list.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBetweenLooks{20};

template <class T, void (*destroy)(T*)>
struct Call {
  void operator()(T* object) const { destroy(object); }
};
template <class T, void (*destroy)(T*)>
using Owned = std::unique_ptr<T, Call<T, destroy>>;

using NewTopicHandle = Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using DeleteTopicHandle = Owned<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;
using DeleteGroupHandle = Owned<rd_kafka_DeleteGroup_t, rd_kafka_DeleteGroup_destroy>;
using ResourceHandle = Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
using OptionsHandle = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;

void destroy_metadata(const rd_kafka_metadata_t* metadata) {
  rd_kafka_metadata_destroy(metadata);
}
using Metadata = Owned<const rd_kafka_metadata_t, destroy_metadata>;

int to_timeout(milliseconds timeout) {
  return static_cast<int>(timeout.count());
}

// The first failure among the results for single topics.
Result<void> first_error(const rd_kafka_topic_result_t** results, size_t count,
                         std::string_view doing) {
  for (size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* const detail = rd_kafka_topic_result_error_string(results[i]);
    return std::unexpected(
        make_error(code, fmt::format("{} topic {}", doing, rd_kafka_topic_result_name(results[i])),
                   detail ? detail : ""));
  }
  return {};
}

Result<void> first_error(const rd_kafka_group_result_t** results, size_t count,
                         std::string_view doing) {
  for (size_t i = 0; i < count; ++i) {
    const auto* const error = rd_kafka_group_result_error(results[i]);
    if (!error) continue;
    return std::unexpected(
        make_error(rd_kafka_error_code(error),
                   fmt::format("{} group {}", doing, rd_kafka_group_result_name(results[i])),
                   rd_kafka_error_string(error)));
  }
  return {};
}

std::span<const rd_kafka_metadata_topic_t> topics_of(const rd_kafka_metadata_t& metadata) {
  return {metadata.topics, static_cast<size_t>(metadata.topic_cnt)};
}

std::span<const rd_kafka_metadata_partition_t> partitions_of(
    const rd_kafka_metadata_topic_t& topic) {
  return {topic.partitions, static_cast<size_t>(topic.partition_cnt)};
}

const rd_kafka_metadata_topic_t* find_topic(const rd_kafka_metadata_t& metadata,
                                            std::string_view name) {
  for (const auto& topic : topics_of(metadata)) {
    if (topic.topic == name && topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) return &topic;
  }
  return nullptr;
}

Error no_topic(const std::string& topic) {
  return make_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic " + topic);
}

std::map<std::string, std::string> config_of(const rd_kafka_ConfigResource_t& resource) {
  size_t count = 0;
  const auto** const entries = rd_kafka_ConfigResource_configs(&resource, &count);
  std::map<std::string, std::string> config;
  for (const auto* entry : std::span(entries, count)) {
    const char* const value = rd_kafka_ConfigEntry_value(entry);  // null: sensitive
    config.emplace(rd_kafka_ConfigEntry_name(entry), value ? value : "");
  }
  return config;
}

}  // namespace

struct Admin::Impl {
  Impl(const ClientConfig& config_in, Options options_in)
      : config(config_in), brokers(broker_list(config_in)), options(options_in) {}

  enum class Topics { kNone, kAll };
  Result<Metadata> metadata(Topics topics, milliseconds timeout) const;
  // Looks until the topic exists and each of its partitions has a leader.
  Result<void> wait_for_leaders(const std::string& topic) const;

  OptionsHandle request_options(rd_kafka_admin_op_t operation) const;
  // Sends a request with `start(client, options, queue)` and waits for its answer.
  template <class Start>
  Result<Handle<rd_kafka_event_t>> ask(rd_kafka_admin_op_t operation, std::string_view doing,
                                       Start start) const;

  // Each partition's offset for a logical time: the beginning or the end.
  Result<std::vector<int64_t>> offsets_at(const std::string& topic, int32_t partitions,
                                          int64_t when) const;

  // A client that belongs to the group without joining it; it is kept. librdkafka 2.0.2 has an
  // admin request for a group's offsets, but crashes when the group's coordinator has just moved.
  Result<rd_kafka_t*> reader_of(const std::string& group);

  const ClientConfig config;
  const std::string brokers;
  const Options options;
  Handle<rd_kafka_t> client;

  std::mutex mutex;
  std::map<std::string, Handle<rd_kafka_t>> readers;  // by group; guarded by mutex
};

Result<Metadata> Admin::Impl::metadata(Topics topics, milliseconds timeout) const {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client.get(), topics == Topics::kAll ? 1 : 0, nullptr, &raw,
                                       to_timeout(timeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Metadata(raw);
  return std::unexpected(make_error(
      error,
      fmt::format("kafka: no broker reachable at {} within {} ms", brokers, timeout.count())));
}

Result<void> Admin::Impl::wait_for_leaders(const std::string& topic) const {
  const auto deadline = steady_clock::now() + options.timeout;
  for (;;) {
    ASSIGN_OR_RETURN(const auto all, metadata(Topics::kAll, options.timeout));
    const auto* const found = find_topic(*all, topic);
    if (found && std::ranges::all_of(partitions_of(*found), [](const auto& partition) {
          return partition.err == RD_KAFKA_RESP_ERR_NO_ERROR && partition.leader >= 0;
        })) {
      return {};
    }
    if (steady_clock::now() >= deadline) {
      return fail(ErrorCode::kTimeout,
                  fmt::format("topic {}: created, but without leaders after {} ms; check that the "
                              "brokers at {} run",
                              topic, options.timeout.count(), brokers));
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

OptionsHandle Admin::Impl::request_options(rd_kafka_admin_op_t operation) const {
  OptionsHandle request(rd_kafka_AdminOptions_new(client.get(), operation));
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_request_timeout(request.get(), to_timeout(options.timeout),
                                            reason.data(), reason.size());
  return request;
}

template <class Start>
Result<Handle<rd_kafka_event_t>> Admin::Impl::ask(rd_kafka_admin_op_t operation,
                                                  std::string_view doing, Start start) const {
  const Handle<rd_kafka_queue_s> answers(rd_kafka_queue_new(client.get()));
  const auto request = request_options(operation);
  start(client.get(), request.get(), answers.get());
  // The request times out by itself; this is for the case that it does not.
  constexpr milliseconds kGrace{5'000};
  Handle<rd_kafka_event_t> answer(
      rd_kafka_queue_poll(answers.get(), to_timeout(options.timeout + kGrace)));
  const auto context = fmt::format("{} at {}", doing, brokers);
  if (!answer) return std::unexpected(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, context));
  if (const auto code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(make_error(code, context, rd_kafka_event_error_string(answer.get())));
  }
  return answer;
}

Result<std::vector<int64_t>> Admin::Impl::offsets_at(const std::string& topic, int32_t partitions,
                                                     int64_t when) const {
  // All partitions in one request a broker. librdkafka sends logical times as they are.
  const PartitionList list(rd_kafka_topic_partition_list_new(partitions));
  for (int32_t i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = when;
  }
  const std::string context = "offsets of topic " + topic;
  const auto error =
      rd_kafka_offsets_for_times(client.get(), list.get(), to_timeout(options.timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, context));
  std::vector<int64_t> offsets(static_cast<size_t>(partitions));
  for (const auto& each : std::span(list->elems, static_cast<size_t>(list->cnt))) {
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(
          make_error(each.err, fmt::format("{} partition {}", context, each.partition)));
    }
    offsets[static_cast<size_t>(each.partition)] = each.offset;
  }
  return offsets;
}

Result<rd_kafka_t*> Admin::Impl::reader_of(const std::string& group) {
  const std::lock_guard lock(mutex);
  auto& reader = readers[group];
  if (!reader) {
    ASSIGN_OR_RETURN(auto conf, make_conf(config));
    RETURN_IF_ERROR(set(*conf, "group.id", group));
    RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
    RETURN_IF_ERROR(set_extra(*conf, config));
    ASSIGN_OR_RETURN(reader, make_client(ClientType::kConsumer, std::move(conf), config));
  }
  return reader.get();
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

Result<std::unique_ptr<Admin>> Admin::create(const ClientConfig& config, const Options& options) {
  auto impl = std::make_unique<Impl>(config, options);
  ASSIGN_OR_RETURN(auto conf, make_conf(config));
  RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
  RETURN_IF_ERROR(set_extra(*conf, config));
  ASSIGN_OR_RETURN(impl->client, make_client(ClientType::kProducer, std::move(conf), config));
  return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Result<void> Admin::check_reachable(milliseconds timeout) {
  RETURN_IF_ERROR(impl_->metadata(Impl::Topics::kNone, timeout));
  return {};
}

Result<std::vector<std::string>> Admin::list_topics() {
  ASSIGN_OR_RETURN(const auto all, impl_->metadata(Impl::Topics::kAll, impl_->options.timeout));
  std::vector<std::string> names;
  for (const auto& topic : topics_of(*all)) {
    if (!std::string_view(topic.topic).starts_with("__")) names.emplace_back(topic.topic);
  }
  std::ranges::sort(names);
  return names;
}

Result<std::optional<int32_t>> Admin::partition_count(const std::string& topic) {
  ASSIGN_OR_RETURN(const auto all, impl_->metadata(Impl::Topics::kAll, impl_->options.timeout));
  const auto* const found = find_topic(*all, topic);
  return found ? std::optional(found->partition_cnt) : std::nullopt;
}

Result<std::vector<TopicDescription>> Admin::describe_topics(std::span<const std::string> topics) {
  if (topics.empty()) return {};
  ASSIGN_OR_RETURN(const auto all, impl_->metadata(Impl::Topics::kAll, impl_->options.timeout));
  std::vector<TopicDescription> descriptions;
  std::vector<ResourceHandle> resources;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const auto& topic : topics) {
    const auto* const found = find_topic(*all, topic);
    if (!found) return std::unexpected(no_topic(topic));
    descriptions.push_back({.name = topic, .partitions = found->partition_cnt, .config = {}});
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    raw.push_back(resources.back().get());
  }
  ASSIGN_OR_RETURN(const auto answer,
                   impl_->ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "kafka: describing topics",
                              [&](auto* client, auto* options, auto* queue) {
                                rd_kafka_DescribeConfigs(client, raw.data(), raw.size(), options,
                                                         queue);
                              }));
  size_t count = 0;
  const auto** const results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
  for (const auto* result : std::span(results, count)) {
    const char* const name = rd_kafka_ConfigResource_name(result);
    if (const auto code = rd_kafka_ConfigResource_error(result)) {
      return std::unexpected(make_error(code, fmt::format("describing topic {}", name)));
    }
    const auto to = std::ranges::find(descriptions, name, &TopicDescription::name);
    if (to != descriptions.end()) to->config = config_of(*result);
  }
  return descriptions;
}

Result<void> Admin::create_topic(const NewTopic& topic) {
  std::array<char, 512> reason{};
  const NewTopicHandle request(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                                     topic.replication_factor, reason.data(),
                                                     reason.size()));
  if (!request) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("creating topic {}: {}; correct it", topic.name, reason.data()));
  }
  for (const auto& [property, value] : topic.config) {
    rd_kafka_NewTopic_set_config(request.get(), property.c_str(), value.c_str());
  }
  ASSIGN_OR_RETURN(const auto answer,
                   impl_->ask(RD_KAFKA_ADMIN_OP_CREATETOPICS,
                              fmt::format("kafka: creating topic {}", topic.name),
                              [&](auto* client, auto* options, auto* queue) {
                                auto* raw = request.get();
                                rd_kafka_CreateTopics(client, &raw, 1, options, queue);
                              }));
  size_t count = 0;
  const auto** const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  RETURN_IF_ERROR(first_error(results, count, "creating"));
  return impl_->wait_for_leaders(topic.name);
}

Result<void> Admin::delete_topic(const std::string& topic) {
  const DeleteTopicHandle request(rd_kafka_DeleteTopic_new(topic.c_str()));
  ASSIGN_OR_RETURN(
      const auto answer,
      impl_->ask(RD_KAFKA_ADMIN_OP_DELETETOPICS, fmt::format("kafka: deleting topic {}", topic),
                 [&](auto* client, auto* options, auto* queue) {
                   auto* raw = request.get();
                   rd_kafka_DeleteTopics(client, &raw, 1, options, queue);
                 }));
  size_t count = 0;
  const auto** const results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &count);
  return first_error(results, count, "deleting");
}

Result<std::vector<PartitionOffsets>> Admin::list_offsets(const std::string& topic) {
  ASSIGN_OR_RETURN(const auto partitions, partition_count(topic));
  if (!partitions) return std::unexpected(no_topic(topic));
  // Begins first: neither ever moves back, so none can pass the end asked for after it.
  ASSIGN_OR_RETURN(const auto begins,
                   impl_->offsets_at(topic, *partitions, RD_KAFKA_OFFSET_BEGINNING));
  ASSIGN_OR_RETURN(const auto ends, impl_->offsets_at(topic, *partitions, RD_KAFKA_OFFSET_END));
  std::vector<PartitionOffsets> offsets;
  for (int32_t i = 0; i < *partitions; ++i) {
    offsets.push_back({.partition = Partition(i),
                       .begin = Offset(begins[static_cast<size_t>(i)]),
                       .end = Offset(ends[static_cast<size_t>(i)])});
  }
  return offsets;
}

Result<std::vector<TopicOffset>> Admin::group_offsets(const std::string& group,
                                                      std::span<const TopicPartition> partitions) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& [topic, partition] : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition.get());
  }
  ASSIGN_OR_RETURN(rd_kafka_t* const reader, impl_->reader_of(group));
  const auto context = fmt::format("kafka: offsets of group {} at {}", group, impl_->brokers);
  const auto error = rd_kafka_committed(reader, list.get(), to_timeout(impl_->options.timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, context));
  std::vector<TopicOffset> offsets;
  for (const auto& each : std::span(list->elems, static_cast<size_t>(list->cnt))) {
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(make_error(each.err, context));
    if (each.offset >= 0)
      offsets.push_back({each.topic, Partition(each.partition), Offset(each.offset)});
  }
  std::ranges::sort(offsets);
  return offsets;
}

Result<void> Admin::delete_group(const std::string& group) {
  const DeleteGroupHandle request(rd_kafka_DeleteGroup_new(group.c_str()));
  ASSIGN_OR_RETURN(
      const auto answer,
      impl_->ask(RD_KAFKA_ADMIN_OP_DELETEGROUPS, fmt::format("kafka: deleting group {}", group),
                 [&](auto* client, auto* options, auto* queue) {
                   auto* raw = request.get();
                   rd_kafka_DeleteGroups(client, &raw, 1, options, queue);
                 }));
  size_t count = 0;
  const auto** const results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(answer.get()), &count);
  return first_error(results, count, "deleting");
}

}  // namespace searchsync::kafka
