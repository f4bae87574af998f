#include "query/run/kafka_own_writes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/http/client.h"

namespace searchsync::query {
namespace {

using std::chrono::milliseconds;

// Between looks; and after one that Kafka did not answer.
constexpr milliseconds kPause{5};
constexpr milliseconds kPauseAfterError{200};
// Who waited may come again soon: until then the connection to the positions is kept.
constexpr std::chrono::seconds kRestAfter{30};

bool leads_to(std::string_view aliases, const std::string& index) {
  const auto found = nlohmann::json::parse(aliases, nullptr, false);
  return found.is_object() && found.contains(index);
}

}  // namespace

KafkaOwnWrites::KafkaOwnWrites(const model::PipelineConfig& config, kafka::ClientConfig kafka,
                               Engine& engine)
    : ways_(ways_of(config)),
      alias_(config.index.spec.index_name),
      index_(config.generation_index.get()),
      all_(http::percent_encode(index_) + (config.index.spec.partitioning ? "*" : "")),
      engine_(engine),
      refreshes_([this](Clock::time_point until) { return refresh(until); }),
      look_(config, std::move(kafka)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

KafkaOwnWrites::~KafkaOwnWrites() = default;

OwnWrites::Waited KafkaOwnWrites::wait(const std::vector<positions::Token>& tokens,
                                       Clock::time_point until) {
  {
    std::unique_lock lock(mutex_);
    if (waiting_.size() >= kWaitersMax) return {.refused = true, .missing = "too many wait"};
    const auto mine = waiting_.emplace(waiting_.end(), ways_, tokens);
    changed_.notify_all();
    changed_.wait_until(lock, until, [&] { return mine->written(); });
    const std::string missing(mine->missing());
    const bool written = mine->written();
    waiting_.erase(mine);
    if (!written) return {.missing = missing};
  }
  const std::string problem = refreshes_.join(until);
  return {.written = problem.empty(), .missing = problem};
}

void KafkaOwnWrites::run(const std::stop_token& stop) {
  std::string complaint;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return !waiting_.empty(); };
      if (!changed_.wait_for(lock, stop, kRestAfter, wanted)) {
        if (stop.stop_requested()) return;
        lock.unlock();
        look_.rest();
        continue;
      }
    }
    const auto look = look_.take();
    std::unique_lock lock(mutex_);
    if (look) {
      bool written = false;
      for (OwnWrite& write : waiting_) {
        write.advance(*look);
        written = written || write.written();
      }
      if (written) changed_.notify_all();
      complaint.clear();
    } else if (look.error().message != complaint) {
      complaint = look.error().message;
      log::warning("reads with a token wait: {}", complaint);
    }
    changed_.wait_for(lock, stop, look ? kPause : kPauseAfterError, [] { return false; });
  }
}

std::string KafkaOwnWrites::refresh(Clock::time_point until) {
  const auto refreshed = engine_.call("POST", fmt::format("/{}/_refresh", all_), "", until);
  if (!refreshed) return "refresh: " + refreshed.error().message;
  if (refreshed->status != 200) {
    return fmt::format("refresh: the search engine answers {}", refreshed->status);
  }
  const auto aliases =
      engine_.call("GET", fmt::format("/_alias/{}", http::percent_encode(alias_)), "", until);
  if (!aliases) return "refresh: " + aliases.error().message;
  if (aliases->status == 200 && leads_to(aliases->body, index_)) return "";
  return "refresh: another generation of the index is served now";
}

}  // namespace searchsync::query
