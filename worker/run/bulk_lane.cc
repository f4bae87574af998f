#include "worker/run/bulk_lane.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::worker {
namespace {

constexpr std::chrono::milliseconds kClientBusy{50};

std::chrono::duration<double> seconds_between(Clock::time_point from, Clock::time_point to) {
  return to - from;
}

}  // namespace

BulkLane::BulkLane(Options options, http::AsyncClient& client, uint64_t seed)
    : options_(std::move(options)),
      client_(client),
      backoff_(
          {.first = std::chrono::milliseconds(50), .longest = std::chrono::milliseconds(5'000)},
          seed),
      arrived_(
          std::make_shared<BoundedQueue<Arrived>>(static_cast<size_t>(options_.requests_max) + 1)) {
  if (options_.partitions) maker_.emplace(*options_.partitions, client, seed);
}

void BulkLane::add(QueuedDocument document, const Write& write, Clock::time_point now) {
  if (gathered_.items.empty()) gathered_.since = now;
  BulkItem item{.document = std::move(document), .begin = gathered_.body.size()};
  if (maker_) {
    add_placed(item, write);
  } else if (write.document) {
    elastic::append_index(gathered_.body, write.root, write.version, *write.document);
  } else {
    elastic::append_delete(gathered_.body, write.root, write.version);
  }
  gathered_.items.push_back(std::move(item));
}

// In the new place first: better twice than not at all, for a moment.
void BulkLane::add_placed(BulkItem& item, const Write& write) {
  const auto append = [&](const Place& place, const std::optional<std::string>& document) {
    const elastic::Address address{maker_->write_alias(place.period), place.routing};
    if (document) {
      elastic::append_index(gathered_.body, write.root, write.version, *document, address);
    } else {
      elastic::append_delete(gathered_.body, write.root, write.version, address);
    }
    item.periods.push_back(place.period);
  };
  if (write.place) append(*write.place, write.document);
  for (const auto& place : write.left) append(place, std::nullopt);
  CHECK(!item.periods.empty(), "{} has to be written somewhere", write.root);
  item.operations = item.periods.size();
}

elastic::ItemOutcome BulkLane::outcome_of(const BulkItem& item,
                                          std::span<elastic::ItemOutcome> outcomes,
                                          Clock::time_point sent) {
  for (size_t i = 0; maker_ && i < outcomes.size(); ++i) {
    const bool refused = outcomes[i].outcome == elastic::Outcome::kRejected;
    if (outcomes[i].missing) {
      maker_->want(item.periods[i]);
    } else if (!refused || !maker_->equip(item.periods[i], sent)) {
      continue;
    }
    outcomes[i].outcome = elastic::Outcome::kRetry;
  }
  using enum elastic::Outcome;
  for (const auto outcome : {kFatal, kRetry, kRejected, kStale}) {
    const auto found = std::ranges::find(outcomes, outcome, &elastic::ItemOutcome::outcome);
    if (found != outcomes.end()) return *found;
  }
  return outcomes.front();
}

bool BulkLane::full() const {
  return gathered_.items.size() >= options_.documents_max ||
         gathered_.body.size() >= options_.bytes_max;
}

bool BulkLane::has_room(Urgency urgency) const {
  if (full() || !waiting_.empty()) return false;
  if (urgency == Urgency::kDirect) return in_flight_ < options_.requests_max;
  return in_flight_ < std::max(1, options_.requests_max - 1) &&
         gathered_.items.size() < options_.fan_out_max;
}

Clock::time_point BulkLane::send(Clock::time_point now) {
  while (in_flight_ < options_.requests_max && !waiting_.empty() &&
         waiting_.front().not_before <= now) {
    Batch again = std::move(waiting_.front());
    waiting_.pop_front();
    submit(std::move(again), now);
  }
  const bool due = full() || now >= gathered_.since + options_.delay;
  if (in_flight_ < options_.requests_max && waiting_.empty() && !gathered_.items.empty() && due) {
    submit(std::exchange(gathered_, {}), now);
  }
  if (idle() && !checking_ && now >= next_check_) check(now);
  if (!waiting_.empty()) return waiting_.front().not_before;
  return gathered_.items.empty() ? now + std::chrono::seconds(1) : gathered_.since + options_.delay;
}

void BulkLane::submit(Batch batch, Clock::time_point now) {
  auto request = elastic::bulk_request(options_.index, std::move(batch.body), options_.timeout);
  const size_t bytes = request.body.size();
  auto holder = std::make_shared<Batch>(std::move(batch));
  const bool accepted = client_.submit(
      std::move(request), [queue = arrived_, holder, now](http::Completion completion) {
        holder->body = std::move(completion.request.body);
        queue->push_always({std::move(*holder), std::move(completion.response), now, Clock::now()});
      });
  if (accepted) {
    ++in_flight_;
    totals_.requests += 1;
    totals_.bytes += bytes;
    return;
  }
  // Requests of a loop before this one are still under way in the client.
  holder->body = std::move(request.body);
  holder->not_before = now + kClientBusy;
  waiting_.push_front(std::move(*holder));
}

void BulkLane::check(Clock::time_point now) {
  checking_ =
      client_.submit(elastic::exists_request(options_.index, options_.check_every),
                     [queue = arrived_, now](http::Completion completion) {
                       queue->push_always({{}, std::move(completion.response), now, Clock::now()});
                     });
}

// Whoever may write need not be allowed to look: 403 is no trouble.
void BulkLane::finish_check(const Result<http::ClientResponse>& response) {
  checking_ = false;
  if (!idle()) return;  // writes will tell
  if (!response) {
    trouble_ = response.error().message;
  } else if (response->status == 200 || response->status == 403) {
    trouble_.clear();
  } else {
    trouble_ =
        fmt::format("index {} answers with status {}", options_.index.get(), response->status);
  }
}

void BulkLane::retry(Batch batch, Clock::time_point now, std::string why) {
  trouble_ = std::move(why);
  totals_.failed_requests += 1;
  batch.not_before = now + backoff_.next();
  waiting_.push_back(std::move(batch));
}

// Something in it makes the engine refuse the whole request: its halves tell which.
void BulkLane::split(Batch batch, Clock::time_point now) {
  const size_t half = batch.items.size() / 2;
  const size_t cut = batch.items[half].begin;
  Batch second{.body = batch.body.substr(cut), .since = batch.since, .not_before = now};
  second.items.assign(std::make_move_iterator(batch.items.begin() + static_cast<ptrdiff_t>(half)),
                      std::make_move_iterator(batch.items.end()));
  for (auto& item : second.items) item.begin -= cut;
  batch.items.resize(half);
  batch.body.resize(cut);
  batch.not_before = now;
  waiting_.push_front(std::move(second));
  waiting_.push_front(std::move(batch));
}

size_t BulkLane::collect(Clock::time_point now, FunctionRef<void(BulkResult&&)> take) {
  if (maker_) maker_->step(now);
  size_t count = 0;
  for (auto& arrived : arrived_->drain()) count += finish(std::move(arrived), now, take);
  return count;
}

size_t BulkLane::finish(Arrived arrived, Clock::time_point now,
                        FunctionRef<void(BulkResult&&)> take) {
  next_check_ = now + options_.check_every;
  if (arrived.batch.items.empty()) {
    finish_check(arrived.response);
    return 0;
  }
  --in_flight_;
  Batch& batch = arrived.batch;
  if (!arrived.response) {
    retry(std::move(batch), now, arrived.response.error().message);
    return 0;
  }
  size_t operations = 0;
  for (const auto& item : batch.items) operations += item.operations;
  auto outcomes =
      elastic::parse_bulk_response(arrived.response->status, arrived.response->body, operations);
  if (!outcomes && outcomes.error().code == ErrorCode::kLimit && batch.items.size() == 1) {
    outcomes = std::vector<elastic::ItemOutcome>(
        operations, {.outcome = elastic::Outcome::kRejected, .reason = outcomes.error().message});
  }
  if (!outcomes) {
    if (outcomes.error().code == ErrorCode::kLimit) {
      split(std::move(batch), now);
    } else {
      retry(std::move(batch), now, outcomes.error().message);
    }
    return 0;
  }
  const double took = seconds_between(arrived.sent, arrived.answered).count();
  totals_.seconds += took;
  latencies_.push_back(took);
  std::string refused;
  std::span<elastic::ItemOutcome> rest(*outcomes);
  for (size_t i = 0; i < batch.items.size(); ++i) {
    const size_t begin = batch.items[i].begin;
    const size_t end = i + 1 < batch.items.size() ? batch.items[i + 1].begin : batch.body.size();
    const auto its = rest.first(batch.items[i].operations);
    rest = rest.subspan(its.size());
    const auto outcome = outcome_of(batch.items[i], its, arrived.sent);
    if (outcome.outcome == elastic::Outcome::kFatal) refused = outcome.reason;
    take({std::move(batch.items[i].document), outcome,
          std::string_view(batch.body).substr(begin, end - begin)});
  }
  if (refused.empty()) backoff_.reset();
  trouble_ = refused.empty() ? "" : "all writes are refused: " + refused;
  return batch.items.size();
}

std::vector<double> BulkLane::take_latencies() {
  return std::exchange(latencies_, {});
}

}  // namespace searchsync::worker
