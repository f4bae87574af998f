#include "lib/kube/fake_api_http.h"

#include <httplib.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "lib/base/check.h"

namespace searchsync::kube {
namespace {

constexpr std::chrono::milliseconds kPullPeriod{5};
constexpr size_t kThreads = 32;  // one for each watch

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio bio_of(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}
X509Pointer read_certificate(const std::string& pem) {
  return {PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr), &X509_free};
}

std::unique_ptr<httplib::Server> make_server(const FakeApiHttp::Options& options) {
  if (options.certificate.empty()) return std::make_unique<httplib::Server>();
  const auto certificate = read_certificate(options.certificate);
  const KeyPointer key(
      PEM_read_bio_PrivateKey(bio_of(options.key).get(), nullptr, nullptr, nullptr),
      &EVP_PKEY_free);
  X509_STORE* trusted = nullptr;
  if (!options.client_ca.empty()) {
    trusted = X509_STORE_new();  // the server takes it over
    X509_STORE_add_cert(trusted, read_certificate(options.client_ca).get());
  }
  return std::make_unique<httplib::SSLServer>(certificate.get(), key.get(), trusted);
}

}  // namespace

struct FakeApiHttp::Impl {
  explicit Impl(uint64_t seed, const Options& options)
      : https(!options.certificate.empty()), api(seed), server(make_server(options)) {}

  const bool https;
  std::mutex mutex;
  FakeApiServer api;  // guarded by mutex
  std::string token;  // guarded by mutex
  std::atomic<bool> stopping{false};
  const std::unique_ptr<httplib::Server> server;
  int port = 0;
  std::jthread listener;

  void answer(const httplib::Request& from, httplib::Response& to);
  void stream(const http::ClientRequest& request, httplib::Response& to);
};

FakeApiHttp::FakeApiHttp(uint64_t seed, const Options& options)
    : impl_(std::make_unique<Impl>(seed, options)) {
  httplib::Server& server = *impl_->server;
  CHECK(server.is_valid(), "the certificate or key cannot be used");
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };  // the server owns it
  server.set_keep_alive_timeout(1);  // its end waits for idle connections
  const auto handler = [this](const httplib::Request& from, httplib::Response& to) {
    impl_->answer(from, to);
  };
  server.Get(".*", handler);
  server.Post(".*", handler);
  server.Put(".*", handler);
  server.Patch(".*", handler);
  server.Delete(".*", handler);
  impl_->port = server.bind_to_any_port("127.0.0.1");
  impl_->listener = std::jthread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();  // stop() before that is ignored
}

FakeApiHttp::~FakeApiHttp() {
  impl_->stopping = true;
  impl_->server->stop();
}

std::string FakeApiHttp::url() const {
  return (impl_->https ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(impl_->port);
}

void FakeApiHttp::with(const std::function<void(FakeApiServer&)>& action) {
  const std::lock_guard lock(impl_->mutex);
  action(impl_->api);
}

void FakeApiHttp::require_token(std::string token) {
  const std::lock_guard lock(impl_->mutex);
  impl_->token = std::move(token);
}

void FakeApiHttp::Impl::answer(const httplib::Request& from, httplib::Response& to) {
  http::ClientRequest request{.method = from.method, .path = from.target, .body = from.body};
  for (const auto& [name, value] : from.headers) request.headers.push_back({name, value});
  http::ClientResponse response;
  {
    const std::lock_guard lock(mutex);
    if (!token.empty() && from.get_header_value("Authorization") != "Bearer " + token) {
      to.status = 401;
      to.set_content(R"({"kind":"Status","reason":"Unauthorized","code":401})", "application/json");
      return;
    }
    if (from.method != "GET") response = api.handle(request);
  }
  if (from.method == "GET") return stream(request, to);
  to.status = response.status;
  to.set_content(response.body, "application/json");
}

void FakeApiHttp::Impl::stream(const http::ClientRequest& request, httplib::Response& to) {
  FakeApiServer::StreamId id = 0;
  FakeApiServer::Piece first;
  {
    const std::lock_guard lock(mutex);
    id = api.open(request, std::chrono::steady_clock::now());
    first = api.pull(id, std::chrono::steady_clock::now());
  }
  to.status = first.status;
  if (!first.retry_after.empty()) to.set_header("Retry-After", first.retry_after);
  const auto finish = [this, id](bool) {
    const std::lock_guard lock(mutex);
    api.close(id);
  };
  if (first.state == FakeApiServer::State::kEnded) {
    to.set_content(first.bytes, "application/json");
    return finish(true);
  }
  to.set_chunked_content_provider(
      "application/json",
      [this, id, piece = first](size_t, httplib::DataSink& sink) mutable {
        if (!piece.bytes.empty()) sink.write(piece.bytes.data(), piece.bytes.size());
        if (stopping || piece.state == FakeApiServer::State::kBroken) return false;
        if (piece.state == FakeApiServer::State::kEnded) {
          sink.done();
          return true;
        }
        std::this_thread::sleep_for(kPullPeriod);
        const std::lock_guard lock(mutex);
        piece = api.pull(id, std::chrono::steady_clock::now());
        return sink.is_writable();
      },
      finish);
}

}  // namespace searchsync::kube
