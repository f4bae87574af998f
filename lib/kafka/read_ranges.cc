#include "lib/kafka/read_ranges.h"

#include <fmt/core.h>

#include <map>
#include <vector>

#include "lib/kafka/consumer.h"

namespace searchsync::kafka {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{100};
constexpr size_t kEventsMax = 500;
constexpr size_t kQueueBytesMax = 4 << 20;

// The ranges that are not yet read to their ends.
class Unread {
 public:
  explicit Unread(std::span<const OffsetRange> ranges) {
    for (const auto& range : ranges) {
      if (range.begin < range.end) ends_.emplace(range.partition, range.end);
    }
  }

  bool empty() const { return ends_.empty(); }
  const TopicPartition& first() const { return ends_.begin()->first; }
  // Whether the record is in a range.
  bool take(const Message& message, std::vector<TopicPartition>& finished) {
    const auto found = ends_.find({std::string(message.topic), message.partition});
    if (found == ends_.end()) return false;
    const bool inside = message.offset < found->second;
    if (message.offset.get() + 1 >= found->second.get()) finish(found, finished);
    return inside;
  }
  // There is no more: what is missing up to the range's end is not committed, or is gone.
  void end(const PartitionEnd& end, std::vector<TopicPartition>& finished) {
    const auto found = ends_.find({std::string(end.topic), end.partition});
    if (found != ends_.end()) finish(found, finished);
  }

 private:
  using Ends = std::map<TopicPartition, Offset>;
  void finish(Ends::iterator range, std::vector<TopicPartition>& finished) {
    finished.push_back(range->first);
    ends_.erase(range);
  }

  Ends ends_;
};

}  // namespace

Result<void> read_ranges(const ClientConfig& config, std::span<const OffsetRange> ranges,
                         std::chrono::milliseconds silence,
                         FunctionRef<Reading(const Message&)> visit) {
  Unread unread(ranges);
  if (unread.empty()) return {};
  std::vector<PartitionStart> starts;
  for (const auto& [partition, begin, end] : ranges) {
    if (begin < end) starts.push_back({partition, StartOffset::exact(begin)});
  }
  ASSIGN_OR_RETURN(const auto consumer,
                   Consumer::reader(config, {.queue_bytes_max = kQueueBytesMax,
                                             .fetch_bytes_max = kQueueBytesMax}));
  RETURN_IF_ERROR(consumer->assign(starts));
  auto heard = Clock::now();
  while (!unread.empty()) {
    std::vector<TopicPartition> finished;
    {
      const auto events = consumer->poll(kPoll, kEventsMax);
      if (!events && !events.error().retryable()) return std::unexpected(events.error());
      if (events && !events->empty()) heard = Clock::now();
      for (size_t i = 0; events && i < events->size(); ++i) {
        const auto& event = (*events)[i];
        const auto* message = std::get_if<Message>(&event);
        if (message == nullptr) {
          unread.end(std::get<PartitionEnd>(event), finished);
        } else if (unread.take(*message, finished) && visit(*message) == Reading::kIsEnough) {
          return {};
        }
      }
    }
    if (!finished.empty()) RETURN_IF_ERROR(consumer->pause(finished));
    if (!unread.empty() && Clock::now() - heard > silence) {
      const auto trouble = consumer->connection_error();
      return fail(ErrorCode::kTimeout,
                  fmt::format("{}: nothing was read for {} ms{}", to_string(unread.first()),
                              silence.count(), trouble ? ": " + trouble->message : ""));
    }
  }
  return {};
}

}  // namespace searchsync::kafka
