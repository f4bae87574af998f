#include "worker/run/hold_back.h"

#include <utility>

namespace searchsync::worker {
namespace {

constexpr std::chrono::milliseconds kStillMember{20'000};

}  // namespace

Result<bool> HoldBack::hold(kafka::Consumer& consumer, Time now, uint64_t assignments) {
  if (!since_) since_ = now;
  if (now - *since_ < kStillMember) return false;
  if (paused_ != assignments) RETURN_IF_ERROR(consumer.pause(consumer.assignment()));
  paused_ = assignments;
  return true;
}

Result<bool> HoldBack::let_go(kafka::Consumer& consumer) {
  since_.reset();
  if (!std::exchange(paused_, std::nullopt)) return false;
  RETURN_IF_ERROR(consumer.resume(consumer.assignment()));
  return true;
}

}  // namespace searchsync::worker
