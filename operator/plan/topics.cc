#include "operator/plan/topics.h"

#include "lib/model/pipeline.h"

namespace searchsync::plan {
namespace {

// A letter has what was refused in it: 8 MiB, which whoever writes letters sends at most, and its
// headers. A captured row may be larger.
constexpr const char* kLetterBytesMax = "9437184";

std::string milliseconds(std::chrono::milliseconds time) {
  return std::to_string(time.count());
}

}  // namespace

CreateTopic document_log_topic(const model::SearchIndex& index, const std::string& name,
                               const Policy& policy) {
  const auto retention = milliseconds(policy.log_retention);
  return {.topic = name,
          .partitions = index.spec.workers.partitions,
          .replication_factor = index.spec.kafka.replication_factor,
          .config = {{"cleanup.policy", "compact"},
                     {"min.compaction.lag.ms", retention},
                     {"delete.retention.ms", retention}}};
}

CreateTopic dead_letter_topic(const model::SearchIndex& index, const Policy& policy) {
  return {.topic = model::dead_letter_topic(index),
          .partitions = 1,
          .replication_factor = index.spec.kafka.replication_factor,
          .config = {{"cleanup.policy", "delete"},
                     {"max.message.bytes", kLetterBytesMax},
                     {"retention.ms", milliseconds(policy.dead_letter_retention)}}};
}

std::optional<CreateTopic> event_topic(const model::SearchIndex& index,
                                       const model::Source& source) {
  const auto* http = std::get_if<model::HttpSource>(&source);
  if (http == nullptr) return std::nullopt;
  const model::EventTopic& topic = http->topic;
  CreateTopic create{.topic = topic.name,
                     .partitions = topic.partitions,
                     .replication_factor = index.spec.kafka.replication_factor,
                     .config = {{"cleanup.policy", "compact"}}};
  if (topic.cleanup == model::TopicCleanup::kDelete) {
    create.config = {{"cleanup.policy", "delete"},
                     {"retention.bytes", "-1"},
                     {"retention.ms", topic.retention ? milliseconds(*topic.retention) : "-1"}};
  }
  return create;
}

CreateTopic table_topic(const model::SearchIndex& index, const std::string& name,
                        int32_t partitions) {
  return {.topic = name,
          .partitions = partitions,
          .replication_factor = index.spec.kafka.replication_factor,
          .config = {{"cleanup.policy", "compact"}}};
}

}  // namespace searchsync::plan
