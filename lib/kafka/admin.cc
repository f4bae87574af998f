#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <thread>

#include "lib/base/check.h"
#include "lib/kafka/admin_impl.h"
#include "lib/kafka/conf.h"
#include "lib/kafka/errors.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDescribedMax = 100;  // topics, by one client

using NewTopicHandle = Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using DeleteTopicHandle = Owned<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;
using ResourceHandle = Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
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

Result<Metadata> Admin::Impl::metadata(Topics topics, milliseconds timeout) const {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client.get(), topics == Topics::kAll ? 1 : 0, nullptr, &raw,
                                       to_timeout(timeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Metadata(raw);
  return std::unexpected(make_error(
      error,
      fmt::format("kafka: no broker reachable at {} within {} ms", brokers, timeout.count())));
}

Result<Handle<rd_kafka_conf_s>> Admin::Impl::producer_conf() const {
  ASSIGN_OR_RETURN(auto conf, make_conf(config));
  RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
  RETURN_IF_ERROR(set_extra(*conf, config));
  return conf;
}

Result<std::shared_ptr<rd_kafka_t>> Admin::Impl::describer() {
  std::shared_ptr<rd_kafka_t> dropped;  // ends without the lock: that takes a moment
  const std::lock_guard lock(mutex);
  if (described == kDescribedMax) dropped = std::move(topic_describer);
  if (!topic_describer) {
    ASSIGN_OR_RETURN(auto conf, producer_conf());
    ASSIGN_OR_RETURN(topic_describer, make_client(ClientType::kProducer, std::move(conf), config));
    described = 0;
  }
  ++described;
  return topic_describer;
}

Result<void> Admin::Impl::wait_for_leaders(const std::string& topic) {
  ASSIGN_OR_RETURN(const auto by, describer());
  const Handle<rd_kafka_topic_s> handle(rd_kafka_topic_new(by.get(), topic.c_str(), nullptr));
  const auto deadline = steady_clock::now() + options.timeout;
  for (;;) {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error =
        rd_kafka_metadata(by.get(), 0, handle.get(), &raw, to_timeout(options.timeout));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(make_error(error, fmt::format("topic {} at {}", topic, brokers)));
    }
    const Metadata one(raw);
    const auto* const found = find_topic(*one, topic);
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

OptionsHandle Admin::Impl::request_options(rd_kafka_t* of, rd_kafka_admin_op_t operation,
                                           milliseconds timeout) const {
  OptionsHandle request(rd_kafka_AdminOptions_new(of, operation));
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_request_timeout(request.get(), to_timeout(timeout), reason.data(),
                                            reason.size());
  return request;
}

template <class Start>
Result<Handle<rd_kafka_event_t>> Admin::Impl::ask(rd_kafka_admin_op_t operation,
                                                  std::string_view doing, Start start) const {
  // The request times out by itself; this is for the case that it does not.
  constexpr milliseconds kGrace{5'000};
  const auto request = request_options(client.get(), operation, options.timeout);
  auto answer = send(client.get(), request.get(), start, options.timeout + kGrace);
  const auto context = fmt::format("{} at {}", doing, brokers);
  if (!answer) return std::unexpected(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, context));
  if (const auto code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(make_error(code, context, rd_kafka_event_error_string(answer.get())));
  }
  return answer;
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

Result<std::unique_ptr<Admin>> Admin::create(const ClientConfig& config, const Options& options) {
  auto impl = std::make_unique<Impl>(config, options);
  ASSIGN_OR_RETURN(auto conf, impl->producer_conf());
  ASSIGN_OR_RETURN(impl->client, make_client(ClientType::kProducer, std::move(conf), config));
  return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Result<void> Admin::check_reachable(milliseconds timeout) {
  RETURN_IF_ERROR(impl_->metadata(Impl::Topics::kNone, timeout));
  return {};
}

Result<TopicSizes> Admin::list_topics() {
  ASSIGN_OR_RETURN(const auto all, impl_->metadata(Impl::Topics::kAll, impl_->options.timeout));
  TopicSizes topics;
  for (const auto& topic : topics_of(*all)) {
    const std::string_view name = topic.topic;
    if (!name.starts_with("__")) topics.emplace(name, topic.partition_cnt);
  }
  return topics;
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

}  // namespace searchsync::kafka
