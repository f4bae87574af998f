#include "lib/dead_letters/tally.h"

#include <algorithm>

#include "lib/kafka/read_ranges.h"

namespace searchsync::dead_letters {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSilence{10'000};

}  // namespace

void Tally::take(const kafka::Message& message) {
  next_[message.partition] = Offset(message.offset.get() + 1);
  if (const auto mark = read_mark(message)) {
    ledger_.remove(message.partition, mark->first, std::min(mark->last, message.offset));
  } else if (const auto label = label_of_(read_letter(message))) {
    ledger_.add({message.partition, message.offset}, *label);
  }
}

Result<bool> Tally::catch_up(const kafka::ClientConfig& config,
                             std::span<const kafka::PartitionOffsets> offsets,
                             std::chrono::milliseconds most) {
  std::vector<kafka::OffsetRange> ranges;
  for (const auto& [partition, begin, end] : offsets) {
    auto& next = next_.try_emplace(partition, begin).first->second;
    if (end < next) {  // it was made anew
      ledger_.expire(partition, next);
      next = begin;
    }
    ledger_.expire(partition, begin);
    next = std::max(next, begin);
    if (next < end) ranges.push_back({{topic_, partition}, next, end});
  }
  const auto until = Clock::now() + most;
  bool whole = true;
  RETURN_IF_ERROR(kafka::read_ranges(config, ranges, kSilence, [&](const kafka::Message& message) {
    take(message);
    if (Clock::now() < until) return kafka::Reading::kGoesOn;
    whole = false;
    return kafka::Reading::kIsEnough;
  }));
  // What is missing at the end of a range is of transactions that were given up.
  for (const auto& range : ranges) {
    if (whole) next_[range.partition.partition] = range.end;
  }
  return whole;
}

}  // namespace searchsync::dead_letters
