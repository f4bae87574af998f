#include "operator/control/scraper.h"

#include "lib/http/client.h"
#include "operator/control/samples.h"

namespace searchsync::control {
namespace {

constexpr std::chrono::milliseconds kTimeout{2'000};
// Of what has not been asked for so long nothing is kept.
constexpr std::chrono::minutes kForgetAfter{5};

}  // namespace

Scraper::Scraper() = default;
Scraper::~Scraper() = default;

void Scraper::prune(Clock::time_point now) {
  if (now - pruned_ < kForgetAfter) return;
  std::erase_if(connections_,
                [&](const auto& entry) { return now - entry.second.used > kForgetAfter; });
  std::erase_if(rates_, [&](const auto& entry) { return now - entry.second.at > kForgetAfter; });
  pruned_ = now;
}

std::shared_ptr<http::Client> Scraper::client(const std::string& address) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  prune(now);
  auto& place = connections_[address];
  place.used = now;
  if (place.client == nullptr) {
    auto made = http::Client::create({.base_urls = {"http://" + address},
                                      .connect_timeout = kTimeout,
                                      .failed_url_pause = std::chrono::milliseconds(0)});
    if (made) place.client = std::move(*made);
  }
  return place.client;
}

void Scraper::ask(const std::string& address, plan::ObservedProcess& process,
                  plan::ObservedWorkload& workload, double& rows) {
  const auto http = client(address);
  if (http == nullptr) return;
  process.state = plan::ProcessState::kRunning;
  const auto ready =
      http->request({.path = "/readyz", .headers = {}, .body = "", .timeout = kTimeout});
  if (!ready) {
    process.message = ready.error().message;
    return;
  }
  if (ready->status == 200) {
    process.state = plan::ProcessState::kReady;
    process.message.clear();
  } else {
    process.message = ready->body.substr(0, ready->body.find_last_not_of('\n') + 1);
  }
  const auto metrics =
      http->request({.path = "/metrics", .headers = {}, .body = "", .timeout = kTimeout});
  if (metrics && metrics->status == 200) {
    add_samples(parse_samples(metrics->body), process.message, workload, rows);
  }
}

double Scraper::rate(const std::string& workload, double rows) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  prune(now);
  auto& rate = rates_[workload];
  const double seconds = std::chrono::duration<double>(now - rate.at).count();
  if (seconds >= 1) {
    // A counter that went down began anew with its process.
    const double more = rows >= rate.rows ? rows - rate.rows : rows;
    rate = {.at = now, .rows = rows, .per_second = more / seconds};
  }
  return rate.per_second;
}

}  // namespace searchsync::control
