#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "lib/base/check.h"
#include "lib/http/client.h"
#include "lib/http/endpoints.h"
#include "lib/http/transfer.h"

namespace searchsync::http {
namespace {

using Clock = std::chrono::steady_clock;

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// A request on its way, possibly at its second or third server.
struct Flight {
  ClientRequest request;
  AsyncClient::Callback callback;
  Clock::time_point deadline;
  std::vector<size_t> tried;
  size_t endpoint = 0;
  std::unique_ptr<Transfer> transfer;
};

}  // namespace

struct AsyncClient::Impl {
  explicit Impl(TransferConfig shared)
      : config(std::move(shared)),
        multi(curl_multi_init()),
        endpoints(config.origins.size(), config.options.failed_url_pause) {
    CHECK(multi != nullptr, "out of memory");
    curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS,
                      static_cast<long>(config.options.in_flight_max));
  }

  // Constant after construction. Of libcurl's multi handle, only the wake-up is for other threads.
  const TransferConfig config;
  const std::unique_ptr<CURLM, MultiDeleter> multi;

  // Own synchronisation; raised only under the mutex.
  std::atomic<size_t> in_flight{0};

  std::mutex mutex;
  std::vector<std::unique_ptr<Flight>> submitted;  // guarded by mutex
  bool closed = false;                             // guarded by mutex

  // Of the thread alone.
  Endpoints endpoints;
  std::unordered_map<void*, std::unique_ptr<Flight>> flying;  // by easy handle
  std::vector<std::unique_ptr<Transfer>> idle;

  std::jthread thread;  // last: stops before the rest goes

  void run(const std::stop_token& stop);
  void start_submitted();
  void start(std::unique_ptr<Flight> flight, Result<ClientResponse> otherwise);
  void land(void* handle, int result);
  void complete(std::unique_ptr<Flight> flight, Result<ClientResponse> response);
  void cancel_all();
};

AsyncClient::AsyncClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->thread = std::jthread([this](const std::stop_token& stop) { impl_->run(stop); });
}

AsyncClient::~AsyncClient() {
  impl_->thread.request_stop();
  curl_multi_wakeup(impl_->multi.get());
  impl_->thread.join();
}

Result<std::unique_ptr<AsyncClient>> AsyncClient::create(ClientOptions options) {
  ASSIGN_OR_RETURN(TransferConfig config, TransferConfig::create(std::move(options)));
  return std::unique_ptr<AsyncClient>(new AsyncClient(std::make_unique<Impl>(std::move(config))));
}

bool AsyncClient::submit(ClientRequest&& request, Callback&& callback) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closed || impl_->in_flight.load() >= impl_->config.options.in_flight_max) {
      return false;
    }
    impl_->in_flight.fetch_add(1);
    auto flight = std::make_unique<Flight>();
    flight->deadline = Clock::now() + request.timeout;
    flight->request = std::move(request);
    flight->callback = std::move(callback);
    impl_->submitted.push_back(std::move(flight));
  }
  curl_multi_wakeup(impl_->multi.get());
  return true;
}

size_t AsyncClient::in_flight() const {
  return impl_->in_flight.load();
}

void AsyncClient::Impl::run(const std::stop_token& stop) {
  // A wake-up ends the wait early; libcurl itself shortens it for its own timers.
  constexpr int kPollMillis = 60'000;
  while (!stop.stop_requested()) {
    start_submitted();
    int running = 0;
    CURLMcode result = curl_multi_perform(multi.get(), &running);
    CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
    int left = 0;
    bool landed = false;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      landed = true;
      land(message->easy_handle, message->data.result);
    }
    if (landed) continue;  // another server may be tried, or a callback has submitted more
    result = curl_multi_poll(multi.get(), nullptr, 0, kPollMillis, nullptr);
    CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
  }
  cancel_all();
}

void AsyncClient::Impl::start_submitted() {
  std::vector<std::unique_ptr<Flight>> all;
  {
    const std::lock_guard lock(mutex);
    all.swap(submitted);
  }
  for (auto& flight : all) {
    start(std::move(flight), fail(ErrorCode::kTimeout, "no time was given"));
  }
}

// Sends the request to the next server; if there is none to try, or no time, it ends as
// `otherwise`.
void AsyncClient::Impl::start(std::unique_ptr<Flight> flight, Result<ClientResponse> otherwise) {
  const auto now = Clock::now();
  std::optional<size_t> endpoint;
  if (now < flight->deadline) endpoint = endpoints.pick(flight->tried, now);
  if (!endpoint) {
    complete(std::move(flight), std::move(otherwise));
    return;
  }
  if (idle.empty()) idle.push_back(std::make_unique<Transfer>(config));
  flight->transfer = std::move(idle.back());
  idle.pop_back();
  flight->endpoint = *endpoint;
  flight->transfer->prepare(
      flight->request, *endpoint,
      std::chrono::duration_cast<std::chrono::milliseconds>(flight->deadline - now));
  void* const handle = flight->transfer->handle();
  flying[handle] = std::move(flight);
  const CURLMcode result = curl_multi_add_handle(multi.get(), handle);
  CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
}

void AsyncClient::Impl::land(void* handle, int result) {
  curl_multi_remove_handle(multi.get(), handle);
  auto node = flying.extract(handle);
  CHECK(!node.empty());
  std::unique_ptr<Flight> flight = std::move(node.mapped());
  Attempt attempt = flight->transfer->finish(result);
  idle.push_back(std::move(flight->transfer));
  if (attempt.sent) {
    endpoints.reached(flight->endpoint);
    complete(std::move(flight), std::move(attempt.response));
    return;
  }
  endpoints.failed(flight->endpoint, Clock::now());
  flight->tried.push_back(flight->endpoint);
  start(std::move(flight), std::move(attempt.response));
}

void AsyncClient::Impl::complete(std::unique_ptr<Flight> flight, Result<ClientResponse> response) {
  // Before the callback: whoever learns of a completion may count on its place being free.
  in_flight.fetch_sub(1);
  flight->callback(Completion{std::move(response), std::move(flight->request)});
}

void AsyncClient::Impl::cancel_all() {
  std::vector<std::unique_ptr<Flight>> waiting;
  {
    const std::lock_guard lock(mutex);
    closed = true;  // a callback may try to submit again
    waiting.swap(submitted);
  }
  for (auto& [handle, flight] : flying) curl_multi_remove_handle(multi.get(), handle);
  auto all = std::move(flying);
  flying.clear();
  for (auto& [handle, flight] : all) {
    complete(std::move(flight), fail(ErrorCode::kCancelled, "the client is stopping"));
  }
  for (auto& flight : waiting) {
    complete(std::move(flight), fail(ErrorCode::kCancelled, "the client is stopping"));
  }
}

}  // namespace searchsync::http
