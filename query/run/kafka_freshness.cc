#include "query/run/kafka_freshness.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/log.h"
#include "lib/model/pipeline.h"

namespace searchsync::query {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOldestTimeout{500};
constexpr size_t kEventsMax = 1000;

std::chrono::sys_time<milliseconds> now() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

KafkaFreshness::KafkaFreshness(const model::PipelineConfig& config, kafka::ClientConfig kafka)
    : index_(config.generation_index.get()),
      document_log_(config.document_log),
      route_group_(model::route_group(config.index, config.bindings)),
      fold_group_(model::fold_group(config.index, config.generation_index)),
      sources_([&] {
        std::vector<Source> sources;
        for (const auto& binding : config.bindings) {
          sources.push_back({binding.metadata.name, model::row_topic(binding)});
        }
        return sources;
      }()),
      kafka_(std::move(kafka)) {}

KafkaFreshness::~KafkaFreshness() = default;

std::string KafkaFreshness::json() {
  const std::lock_guard lock(mutex_);
  if (!known_.empty() && Clock::now() - read_at_ < kKeep) return known_;
  const auto progress = read();
  if (progress) {
    known_ = render(*progress);
  } else {
    log::warning("freshness: {}", progress.error().message);
    known_ = render_unknown(std::chrono::floor<std::chrono::seconds>(now()),
                            "Kafka does not say; the log of the query service has more");
  }
  read_at_ = Clock::now();
  return known_;
}

Result<void> KafkaFreshness::connect() {
  if (admin_ == nullptr) {
    ASSIGN_OR_RETURN(admin_, kafka::Admin::create(kafka_, {.timeout = kTimeout}));
  }
  if (reader_ == nullptr) {
    ASSIGN_OR_RETURN(reader_,
                     kafka::Consumer::reader(kafka_, {.queue_bytes_max = 1 << 20,
                                                      .fetch_bytes_max = 1 << 20,
                                                      .partition_fetch_bytes_max = 16 << 10}));
  }
  return admin_->check_reachable(kTimeout);
}

// What is committed first, from the end of the way to its beginning, then how far everything goes:
// see freshness.h.
Result<Progress> KafkaFreshness::read() {
  deadline_ = Clock::now() + kTimeout;
  RETURN_IF_ERROR(connect());
  Progress progress;
  const auto started = now();
  progress.at = std::chrono::floor<std::chrono::seconds>(started);
  progress.now_ms = started.time_since_epoch().count();
  progress.index = index_;
  ASSIGN_OR_RETURN(const Commits folded, commits(fold_group_, document_log_));
  std::map<std::string, Commits> routed;
  for (const Source& source : sources_) {
    if (routed.contains(source.topic)) continue;
    ASSIGN_OR_RETURN(routed[source.topic], commits(route_group_, source.topic));
  }
  std::map<std::string, std::vector<PartitionProgress>> topics;
  for (const auto& [topic, offsets] : routed) {
    ASSIGN_OR_RETURN(topics[topic], ends(topic, offsets));
  }
  ASSIGN_OR_RETURN(progress.document_log, ends(document_log_, folded));
  Behind behind;
  const auto collect = [&behind](const std::string& topic,
                                 std::vector<PartitionProgress>& partitions) {
    for (size_t i = 0; i < partitions.size(); ++i) {
      if (!is_behind(partitions[i])) continue;
      behind[{topic, Partition(static_cast<int32_t>(i))}] = &partitions[i];
    }
  };
  for (auto& [topic, partitions] : topics) collect(topic, partitions);
  collect(document_log_, progress.document_log);
  read_oldest(std::move(behind));
  for (const Source& source : sources_) {
    progress.sources.push_back({source.binding, source.topic, topics[source.topic]});
  }
  return progress;
}

Result<void> KafkaFreshness::check_time() const {
  if (Clock::now() < deadline_) return {};
  return fail(ErrorCode::kTimeout, "Kafka takes too long");
}

Result<KafkaFreshness::Commits> KafkaFreshness::commits(const std::string& group,
                                                        const std::string& topic) {
  RETURN_IF_ERROR(check_time());
  Commits found;
  ASSIGN_OR_RETURN(const auto count, admin_->partition_count(topic));
  std::vector<kafka::TopicPartition> partitions;
  for (int32_t p = 0; p < count.value_or(0); ++p) partitions.push_back({topic, Partition(p)});
  if (partitions.empty()) return found;
  ASSIGN_OR_RETURN(const auto offsets, admin_->group_offsets(group, partitions));
  for (const auto& one : offsets) found[{one.topic, one.partition}] = one.offset.get();
  return found;
}

Result<std::vector<PartitionProgress>> KafkaFreshness::ends(const std::string& topic,
                                                            const Commits& commits) {
  RETURN_IF_ERROR(check_time());
  std::vector<PartitionProgress> partitions;
  const auto offsets = admin_->list_offsets(topic);
  if (!offsets && offsets.error().code == ErrorCode::kNotFound) return partitions;
  if (!offsets) return std::unexpected(offsets.error());
  for (const auto& one : *offsets) {
    PartitionProgress& partition = partitions.emplace_back();
    partition.begin = one.begin.get();
    partition.end = one.end.get();
    const auto committed = commits.find({topic, one.partition});
    if (committed != commits.end()) partition.committed = committed->second;
  }
  return partitions;
}

void KafkaFreshness::read_oldest(Behind behind) {
  if (behind.empty()) return;
  std::vector<kafka::PartitionStart> starts;
  for (const auto& [partition, progress] : behind) {
    starts.push_back({partition, kafka::StartOffset::exact(Offset(next_offset(*progress)))});
  }
  if (!reader_->assign(starts)) return;
  const auto until = std::min(deadline_, Clock::now() + kOldestTimeout);
  while (!behind.empty() && Clock::now() < until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    const auto events = reader_->poll(std::max(left, milliseconds(1)), kEventsMax);
    if (!events) break;
    for (const auto& event : *events) {
      std::visit(
          [&behind](const auto& one) {
            const auto found = behind.find({std::string(one.topic), one.partition});
            if (found == behind.end()) return;
            if constexpr (requires { one.timestamp_ms; }) {
              if (one.timestamp_ms >= 0) found->second->oldest_ms = one.timestamp_ms;
            } else {
              // What is left is no record: a marker of a transaction.
              found->second->committed = found->second->end;
            }
            behind.erase(found);
          },
          event);
    }
  }
  static_cast<void>(reader_->assign({}));
}

}  // namespace searchsync::query
