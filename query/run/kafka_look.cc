#include "query/run/kafka_look.h"

#include <algorithm>
#include <limits>

#include "lib/base/log.h"
#include "lib/model/pipeline.h"

namespace searchsync::query {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kTimeout{2};
constexpr std::chrono::seconds kFindAgain{1};
constexpr milliseconds kPoll{5};
constexpr size_t kEventsMax = 1000;

size_t index_of(const kafka::TopicOffset& offset) {
  return static_cast<size_t>(offset.partition.get());
}

}  // namespace

KafkaLook::KafkaLook(const model::PipelineConfig& config, kafka::ClientConfig kafka)
    : ways_(ways_of(config)),
      document_log_(config.document_log),
      route_group_(model::route_group(config.index, config.bindings)),
      fold_group_(model::fold_group(config.index, config.generation_index)),
      fold_groups_(model::fold_group(config.index, IndexName())),
      kafka_(std::move(kafka)) {}

KafkaLook::~KafkaLook() = default;

Result<void> KafkaLook::connect() {
  if (admin_ == nullptr) {
    ASSIGN_OR_RETURN(admin_, kafka::Admin::create(kafka_, {.timeout = kTimeout}));
    RETURN_IF_ERROR(admin_->check_reachable(kTimeout));
  }
  if (partitions_ == 0) {
    ASSIGN_OR_RETURN(const auto count, admin_->partition_count(document_log_));
    partitions_ = static_cast<size_t>(count.value_or(0));
    settled_.assign(partitions_, Offset(-1));
  }
  if (reader_ == nullptr) {
    ASSIGN_OR_RETURN(reader_, kafka::Consumer::reader(kafka_, {.queue_bytes_max = 4 << 20,
                                                               .fetch_bytes_max = 4 << 20}));
    found_ = 0;
    find_due_ = {};
  }
  return {};
}

// Reading begins with the newest record, which says all.
Result<void> KafkaLook::find_positions() {
  const auto now = steady_clock::now();
  if (found_ == ways_.captures.size() || now < find_due_) return {};
  find_due_ = now + kFindAgain;
  std::vector<kafka::PartitionStart> starts;
  for (const Ways::Capture& capture : ways_.captures) {
    const auto offsets = admin_->list_offsets(capture.positions);
    if (!offsets && offsets.error().code == ErrorCode::kNotFound) continue;
    if (!offsets) return std::unexpected(offsets.error());
    const kafka::PartitionOffsets& only = offsets->at(0);
    const int64_t from = std::max(only.begin.get(), only.end.get() - 1);
    starts.push_back(
        {{capture.positions, only.partition}, kafka::StartOffset::exact(Offset(from))});
  }
  if (starts.size() == found_) return {};
  RETURN_IF_ERROR(reader_->assign(starts));
  found_ = starts.size();
  return {};
}

Result<void> KafkaLook::read_positions() {
  if (found_ == 0) return {};
  ASSIGN_OR_RETURN(const auto events, reader_->poll(kPoll, kEventsMax));
  std::map<std::string_view, std::string_view> values;  // by topic
  for (const auto& event : events) {
    const auto* message = std::get_if<kafka::Message>(&event);
    if (message != nullptr && message->value) values[message->topic] = *message->value;
  }
  for (const auto& [topic, value] : values) {
    auto position = positions::parse_position(value);
    if (!position) return fail(position.error(), topic);
    newest_[std::string(topic)] = std::move(*position);
  }
  return {};
}

Result<std::vector<kafka::TopicOffset>> KafkaLook::folded(const std::string& group) {
  std::vector<kafka::TopicPartition> asked;
  for (size_t p = 0; p < partitions_; ++p) {
    asked.push_back({document_log_, Partition(static_cast<int32_t>(p))});
  }
  return admin_->group_offsets(group, asked);
}

// In the order that Look asks for.
Result<Look> KafkaLook::take() {
  RETURN_IF_ERROR(connect());
  RETURN_IF_ERROR(find_positions());
  if (auto read = read_positions(); !read) {
    reader_.reset();  // the topic may have been made anew
    return std::unexpected(read.error());
  }
  Look look;
  RETURN_IF_ERROR(look_at_routed(look));
  if (partitions_ == 0) return look;
  RETURN_IF_ERROR(look_at_folded(look));
  if (asks_for_others(look)) RETURN_IF_ERROR(look_at_others(look));
  RETURN_IF_ERROR(look_at_ends(look));
  return look;
}

Result<void> KafkaLook::look_at_routed(Look& look) {
  std::vector<kafka::TopicPartition> asked;
  for (const Ways::Capture& capture : ways_.captures) {
    const auto known = newest_.find(capture.positions);
    look.captures.push_back(known == newest_.end() ? std::nullopt : std::optional(known->second));
    if (known == newest_.end()) continue;
    for (const std::string& name : capture.topics) {
      const auto topic = known->second.topics.find(name);
      if (topic == known->second.topics.end()) continue;
      auto& routed = look.routed[name];
      routed.resize(topic->second.ends.size());
      for (size_t p = 0; p < routed.size(); ++p) {
        asked.push_back({name, Partition(static_cast<int32_t>(p))});
      }
    }
  }
  ASSIGN_OR_RETURN(const auto offsets, admin_->group_offsets(route_group_, asked));
  for (const auto& one : offsets) look.routed[one.topic].at(index_of(one)) = one.offset.get();
  return {};
}

Result<void> KafkaLook::look_at_folded(Look& look) {
  look.document_log.resize(partitions_);
  look.leads.resize(partitions_);
  ASSIGN_OR_RETURN(const auto offsets, folded(fold_group_));
  for (const auto& one : offsets) {
    look.document_log.at(index_of(one)).committed = one.offset.get();
    auto& lead = look.leads.at(index_of(one));
    lead = model::parse_note(one.note);
    if (lead && lead->since == settled_.at(index_of(one))) lead->before.clear();
  }
  return {};
}

// Groups say with what they commit which generation they are of.
Result<void> KafkaLook::look_at_others(Look& look) {
  if (groups_ == nullptr) {
    ASSIGN_OR_RETURN(groups_, kafka::GroupList::create(kafka_, kTimeout));
  }
  ASSIGN_OR_RETURN(const auto groups, groups_->find(fold_groups_));
  for (const std::string& group : groups) {
    if (group == fold_group_) continue;
    ASSIGN_OR_RETURN(const auto offsets, folded(group));
    std::vector<int64_t> all(partitions_);
    std::optional<Generation> generation;
    for (const auto& one : offsets) {
      all.at(index_of(one)) = one.offset.get();
      if (const auto lead = model::parse_note(one.note)) generation = lead->own;
    }
    if (!generation) continue;  // it folds another log, or has never led
    // Of one number there may be two, if the first was lost: then both count.
    const auto [known, added] = look.others.emplace(*generation, all);
    for (size_t p = 0; p < partitions_; ++p) {
      known->second[p] = std::min(known->second[p], all[p]);
    }
  }
  for (size_t p = 0; p < partitions_; ++p) {
    const auto& lead = look.leads[p];
    if (lead && have_sent(*lead, p, std::numeric_limits<int64_t>::max(), look.others)) {
      settled_[p] = lead->since;
    }
  }
  return {};
}

Result<void> KafkaLook::look_at_ends(Look& look) {
  const kafka::TopicSizes log{{document_log_, static_cast<int32_t>(partitions_)}};
  const auto offsets = admin_->list_offsets(log);
  if (!offsets) {
    partitions_ = 0;  // it may have been made anew
    return std::unexpected(offsets.error());
  }
  for (const kafka::PartitionOffsets& one : offsets->at(document_log_)) {
    auto& partition = look.document_log.at(static_cast<size_t>(one.partition.get()));
    partition.begin = one.begin.get();
    partition.end = one.end.get();
  }
  return {};
}

void KafkaLook::rest() {
  reader_.reset();
}

}  // namespace searchsync::query
