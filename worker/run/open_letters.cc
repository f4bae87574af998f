#include "worker/run/open_letters.h"

#include <fmt/core.h>

#include "lib/base/hash.h"
#include "lib/kafka/admin.h"

namespace searchsync::worker {
namespace {

constexpr std::chrono::milliseconds kTimeout{5'000};

// The bytes too: a topic that was made anew has other records at the same offsets.
uint64_t identity(const dead_letters::Letter& letter) {
  const auto place = fmt::format("{}\n{}\n{}\n{}", letter.binding, letter.topic,
                                 letter.partition.get(), letter.offset.get());
  return stable_hash(letter.value.value_or(""),
                     stable_hash(letter.key.value_or(""), stable_hash(place)));
}

}  // namespace

OpenLetters::OpenLetters(kafka::ClientConfig config, std::string topic, std::string_view stage,
                         std::string log)
    : config_(std::move(config)),
      topic_(std::move(topic)),
      stage_(stage),
      log_(std::move(log)),
      tally_(topic_, [this](const dead_letters::Letter& letter) { return take(letter); }) {}

std::optional<std::string> OpenLetters::take(const dead_letters::Letter& letter) {
  if (letter.stage != stage_ || letter.log != log_) return std::nullopt;
  if (const auto id = identity(letter); known_.insert(id).second) by_age_.push_back(id);
  if (by_age_.size() > kKnownMax) {
    known_.erase(by_age_.front());
    by_age_.pop_front();
  }
  return std::string(letter.binding);
}

bool OpenLetters::knows(const dead_letters::Letter& letter) const {
  return known_.contains(identity(letter));
}

Result<bool> OpenLetters::look(std::chrono::milliseconds most) {
  ASSIGN_OR_RETURN(const auto admin, kafka::Admin::create(config_, {.timeout = kTimeout}));
  const auto offsets = admin->list_offsets(topic_);
  if (!offsets && offsets.error().code == ErrorCode::kNotFound) return true;
  if (!offsets) return std::unexpected(offsets.error());
  return tally_.catch_up(config_, *offsets, most);
}

}  // namespace searchsync::worker
