#include "lib/http/endpoints.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::http {

Endpoints::Endpoints(size_t count, std::chrono::milliseconds pause)
    : pause_(pause), left_out_until_(count, Time::min()) {
  CHECK(count > 0);
}

std::optional<size_t> Endpoints::pick(const std::vector<size_t>& tried, Time now) {
  const size_t count = left_out_until_.size();
  std::optional<size_t> best;
  for (size_t step = 0; step < count; ++step) {
    const size_t candidate = (next_ + step) % count;
    if (std::find(tried.begin(), tried.end(), candidate) != tried.end()) continue;
    if (left_out_until_[candidate] <= now) {
      best = candidate;
      break;
    }
    if (!best || left_out_until_[candidate] < left_out_until_[*best]) best = candidate;
  }
  if (best) next_ = (*best + 1) % count;
  return best;
}

void Endpoints::failed(size_t endpoint, Time now) {
  left_out_until_[endpoint] = now + pause_;
}

void Endpoints::reached(size_t endpoint) {
  left_out_until_[endpoint] = Time::min();
}

}  // namespace searchsync::http
