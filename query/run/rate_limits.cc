#include "query/run/rate_limits.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

namespace searchsync::query {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr const char* kOthers = "\x01others";  // no address, and no key's name

std::chrono::nanoseconds time_to_fill(const model::RateLimitSpec& limit) {
  return std::chrono::nanoseconds(std::chrono::seconds(limit.burst)) / limit.per_second;
}

}  // namespace

std::optional<std::chrono::nanoseconds> RateLimits::take(const std::string& caller,
                                                         const model::RateLimitSpec& limit,
                                                         TokenBucket::Time now) {
  const std::lock_guard lock(mutex_);
  auto place = entries_.find(caller);
  if (place == entries_.end()) {
    if (entries_.size() >= kCallersMax) forget_idle(now);
    const std::string& name = entries_.size() < kCallersMax ? caller : kOthers;
    place = entries_.try_emplace(name, TokenBucket(limit.per_second, limit.burst), now).first;
  }
  Entry& entry = place->second;
  const auto wait = entry.bucket.try_take(now);
  if (wait.count() > 0) return wait;
  entry.full_at = now + time_to_fill(limit);
  return std::nullopt;
}

void RateLimits::forget_idle(TokenBucket::Time now) {
  if (now < next_look_) return;
  next_look_ = now + kLookEvery;
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.full_at <= now; });
}

std::string client_of(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0) {
    return inet_ntop(AF_INET, bytes.data() + kMapped.size(), text.data(), text.size());
  }
  std::memset(bytes.data() + 8, 0, 8);
  return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

}  // namespace searchsync::query
