#include "worker/run/partition_maker.h"

#include <fmt/core.h>

#include <utility>

#include "lib/base/log.h"
#include "lib/elastic/bulk.h"

namespace searchsync::worker {

PartitionMaker::PartitionMaker(Options options, http::AsyncClient& client, uint64_t seed)
    : options_(std::move(options)),
      client_(client),
      backoff_(
          {.first = std::chrono::milliseconds(100), .longest = std::chrono::milliseconds(15'000)},
          seed),
      arrived_(std::make_shared<BoundedQueue<Arrived>>(1)) {}

std::string PartitionMaker::write_alias(model::Period period) const {
  return elastic::write_alias(model::partition_name(options_.generation, options_.every, period));
}

bool PartitionMaker::equip(model::Period period, Clock::time_point sent) {
  const auto at = equipped_.find(period);
  if (at != equipped_.end()) return sent <= at->second;
  lacking_.insert(period);
  return true;
}

void PartitionMaker::step(Clock::time_point now) {
  for (const auto& arrived : arrived_->drain()) finish(arrived, now);
  if (idle() || current_ || now < not_before_) return;
  if (wanted_.empty()) return add_fields();
  if (submit(elastic::exists_request(options_.generation, options_.timeout), Asked::kGeneration)) {
    current_ = *wanted_.begin();
  }
}

void PartitionMaker::create(Clock::time_point now) {
  const auto name = model::partition_name(options_.generation, options_.every, *current_);
  auto body = options_.body(name);
  if (!body) return give_up(body.error().message, now);
  const bool sent =
      submit(elastic::create_request(name, std::move(*body), options_.timeout), Asked::kPartition);
  if (!sent) current_.reset();
}

void PartitionMaker::add_fields() {
  const auto name = model::partition_name(options_.generation, options_.every, *lacking_.begin());
  auto request = elastic::add_fields_request(name, options_.fields, options_.timeout);
  if (submit(std::move(request), Asked::kFields)) current_ = *lacking_.begin();
}

bool PartitionMaker::submit(http::ClientRequest request, Asked asked) {
  return client_.submit(std::move(request), [queue = arrived_, asked](http::Completion completion) {
    queue->push_always({asked, std::move(completion.response)});
  });
}

void PartitionMaker::finish(const Arrived& arrived, Clock::time_point now) {
  if (!arrived.response) return give_up(arrived.response.error().message, now);
  const auto& response = *arrived.response;
  if (arrived.asked == Asked::kFields) return finish_fields(response, now);
  const auto period = model::period_name(options_.every, *current_);
  if (arrived.asked == Asked::kGeneration) {
    if (response.status == 200) return create(now);
    return give_up(fmt::format("partition {} cannot be made: index {} answers with status {}",
                               period, options_.generation.get(), response.status),
                   now);
  }
  if (auto why = elastic::create_failure(response.status, response.body)) {
    return give_up(fmt::format("partition {} cannot be made: {}", period, *why), now);
  }
  log::info("index {}: partition {} is there", options_.generation.get(), period);
  equipped_.erase(*current_);  // somebody else may have made it
  done();
}

// What it does not take is no trouble: the documents that need it are refused, with the reason.
void PartitionMaker::finish_fields(const http::ClientResponse& response, Clock::time_point now) {
  const auto period = model::period_name(options_.every, *current_);
  const auto why = elastic::add_fields_failure(response.status, response.body);
  if (why && response.status != 400) {
    return give_up(fmt::format("partition {} cannot be given fields: {}", period, *why), now);
  }
  log::info("index {}: partition {} {}", options_.generation.get(), period,
            why ? "does not take the fields: " + *why : "has all fields");
  equipped_[*current_] = now;
  done();
}

void PartitionMaker::done() {
  wanted_.erase(*current_);
  lacking_.erase(*std::exchange(current_, std::nullopt));
  trouble_.clear();
  backoff_.reset();
}

// Whoever still needs it will say so again.
void PartitionMaker::give_up(std::string why, Clock::time_point now) {
  trouble_ = std::move(why);
  wanted_.erase(*current_);
  lacking_.erase(*std::exchange(current_, std::nullopt));
  not_before_ = now + backoff_.next();
}

}  // namespace searchsync::worker
