#include "operator/plan/autoscale.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace searchsync::plan {
namespace {

struct Need {
  int32_t workers = 0;
  std::string reason;
};

// What is needed now, whatever was before.
Need needed(const ScaleInput& in) {
  const int32_t most = std::max(1, std::min(in.spec.max, in.partitions));
  const int32_t least = std::min(in.spec.min, most);
  const double arriving = in.arriving_per_second.value_or(0);
  const int64_t lag = *in.lag_records;
  if (lag == 0 && arriving == 0) return {least, "nothing arrives"};
  if (in.current == 0) {
    return {std::max(least, 1), fmt::format("{} records are to be read", lag)};
  }
  if (lag == 0) return {std::max(least, 1), "nothing lags"};
  const double processed = in.processed_per_second.value_or(0);
  if (processed <= 0) return {std::clamp(in.current, least, most), "they have only begun"};
  const double each = processed / in.current;
  const auto seconds = static_cast<double>(in.spec.target_lag.count());
  const double wanted = std::ceil((arriving + static_cast<double>(lag) / seconds) / each);
  const auto workers = static_cast<int32_t>(std::min(wanted, 2.0 * in.current));
  return {std::clamp(workers, std::max(least, 1), most),
          fmt::format("{} records lag, {:.0f} a second arrive, a worker reads {:.0f}", lag,
                      arriving, each)};
}

}  // namespace

ScaleOutcome scale(const ScaleInput& in, const ScaleNote& note) {
  if (!in.lag_records) {
    return {.replicas = std::max(1, in.current), .note = {}, .reason = "the lag is not known"};
  }
  const auto need = needed(in);
  const int32_t most = std::max(1, std::min(in.spec.max, in.partitions));
  if (need.workers >= in.current || in.current > most) {
    return {.replicas = need.workers, .note = {}, .reason = need.reason};
  }
  ScaleNote next = note;
  if (!next.fewer_since) next = {.fewer_since = in.now, .fewer_most = need.workers};
  next.fewer_most = std::max(next.fewer_most, need.workers);
  if (in.now - *next.fewer_since < in.spec.scale_down_after) {
    return {.replicas = in.current, .note = next, .reason = need.reason};
  }
  return {.replicas = next.fewer_most, .note = {}, .reason = need.reason};
}

}  // namespace searchsync::plan
