#include "worker/run/lag.h"

#include <algorithm>

namespace searchsync::worker {
namespace {

constexpr size_t kEntriesMax = 1'000;

}  // namespace

void Lag::took(Offset end, int64_t timestamp_ms) {
  if (under_way_.size() < kEntriesMax) {
    under_way_.push_back({end, timestamp_ms});
  } else {
    under_way_.back().end = end;
  }
  newest_ = timestamp_ms;
  known_ = true;
}

void Lag::at_end() {
  newest_.reset();
  known_ = true;
}

std::optional<double> Lag::seconds(Offset done, int64_t now_ms) {
  if (!known_) return std::nullopt;
  while (!under_way_.empty() && under_way_.front().end <= done) under_way_.pop_front();
  if (under_way_.empty() && !newest_) return 0;
  const int64_t oldest = under_way_.empty() ? *newest_ : under_way_.front().timestamp_ms;
  return std::max(0.0, static_cast<double>(now_ms - oldest) / 1e3);
}

}  // namespace searchsync::worker
