#include "lib/http/client.h"

#include <curl/curl.h>

#include <mutex>

#include "lib/http/endpoints.h"
#include "lib/http/transfer.h"

namespace searchsync::http {

struct Client::Impl {
  explicit Impl(TransferConfig shared)
      : config(std::move(shared)),
        endpoints(config.origins.size(), config.options.failed_url_pause) {}

  const TransferConfig config;

  std::mutex mutex;
  Endpoints endpoints;                          // guarded by mutex
  std::vector<std::unique_ptr<Transfer>> idle;  // guarded by mutex; the last used is last

  std::unique_ptr<Transfer> borrow() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Transfer>(config);
    auto transfer = std::move(idle.back());
    idle.pop_back();
    return transfer;
  }

  void give_back(std::unique_ptr<Transfer> transfer) {
    const std::lock_guard lock(mutex);
    if (idle.size() < config.options.in_flight_max) idle.push_back(std::move(transfer));
  }

  std::optional<size_t> pick(const std::vector<size_t>& tried, Endpoints::Time now) {
    const std::lock_guard lock(mutex);
    return endpoints.pick(tried, now);
  }

  void learn(size_t endpoint, bool reached) {
    const std::lock_guard lock(mutex);
    if (reached) {
      endpoints.reached(endpoint);
    } else {
      endpoints.failed(endpoint, std::chrono::steady_clock::now());
    }
  }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(ClientOptions options) {
  ASSIGN_OR_RETURN(TransferConfig config, TransferConfig::create(std::move(options)));
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(std::move(config))));
}

Result<ClientResponse> Client::request(const ClientRequest& request) {
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  std::unique_ptr<Transfer> transfer = impl_->borrow();
  std::vector<size_t> tried;
  Result<ClientResponse> response = fail(ErrorCode::kTimeout, "no time was given");
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    const std::optional<size_t> endpoint = impl_->pick(tried, now);
    if (!endpoint) break;
    transfer->prepare(request, *endpoint,
                      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now));
    Attempt attempt = transfer->finish(curl_easy_perform(transfer->handle()));
    impl_->learn(*endpoint, attempt.sent);
    response = std::move(attempt.response);
    if (attempt.sent) break;
    tried.push_back(*endpoint);
  }
  impl_->give_back(std::move(transfer));
  return response;
}

}  // namespace searchsync::http
