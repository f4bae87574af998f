// What an Admin asks of partitions' offsets.

#include <fmt/core.h>

#include "lib/kafka/admin_impl.h"
#include "lib/kafka/conf.h"

namespace searchsync::kafka {

Result<std::vector<int64_t>> Admin::Impl::offsets_at(rd_kafka_t* by, const TopicSizes& topics,
                                                     int64_t when) const {
  // All partitions in one request a broker. librdkafka sends logical times as they are.
  const PartitionList list(rd_kafka_topic_partition_list_new(0));
  for (const auto& [topic, partitions] : topics) {
    for (int32_t i = 0; i < partitions; ++i) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = when;
    }
  }
  const auto context = [&] {
    return topics.size() == 1 ? "offsets of topic " + topics.begin()->first
                              : fmt::format("offsets of {} topics", topics.size());
  };
  const auto error = rd_kafka_offsets_for_times(by, list.get(), to_timeout(options.timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(make_error(error, context()));
  rd_kafka_topic_partition_list_sort(list.get(), nullptr, nullptr);
  std::vector<int64_t> offsets;
  for (const auto& each : std::span(list->elems, static_cast<size_t>(list->cnt))) {
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(make_error(
          each.err, fmt::format("offsets of topic {} partition {}", each.topic, each.partition)));
    }
    offsets.push_back(each.offset);
  }
  return offsets;
}

// Which end it is told is a consumer's setting.
Result<rd_kafka_t*> Admin::Impl::all_seeing() {
  const std::lock_guard lock(mutex);
  if (!uncommitted) {
    ASSIGN_OR_RETURN(auto conf, make_conf(config));
    RETURN_IF_ERROR(set(*conf, "isolation.level", "read_uncommitted"));
    RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
    RETURN_IF_ERROR(set_extra(*conf, config));
    ASSIGN_OR_RETURN(uncommitted, make_client(ClientType::kConsumer, std::move(conf), config));
  }
  return uncommitted.get();
}

Result<std::vector<PartitionOffsets>> Admin::list_offsets(const std::string& topic, Ends which) {
  ASSIGN_OR_RETURN(const auto partitions, partition_count(topic));
  if (!partitions) return std::unexpected(no_topic(topic));
  ASSIGN_OR_RETURN(auto all, list_offsets(TopicSizes{{topic, *partitions}}, which));
  return std::move(all.at(topic));
}

Result<std::map<std::string, std::vector<PartitionOffsets>>> Admin::list_offsets(
    const TopicSizes& topics, Ends which) {
  rd_kafka_t* by = impl_->client.get();
  if (which == Ends::kAll) {
    ASSIGN_OR_RETURN(by, impl_->all_seeing());
  }
  // Begins first: neither ever moves back, so none can pass the end asked for after it.
  ASSIGN_OR_RETURN(const auto begins, impl_->offsets_at(by, topics, RD_KAFKA_OFFSET_BEGINNING));
  ASSIGN_OR_RETURN(const auto ends, impl_->offsets_at(by, topics, RD_KAFKA_OFFSET_END));
  std::map<std::string, std::vector<PartitionOffsets>> all;
  size_t at = 0;
  for (const auto& [topic, partitions] : topics) {
    auto& offsets = all[topic];
    for (int32_t i = 0; i < partitions; ++i, ++at) {
      offsets.push_back(
          {.partition = Partition(i), .begin = Offset(begins[at]), .end = Offset(ends[at])});
    }
  }
  return all;
}

}  // namespace searchsync::kafka
