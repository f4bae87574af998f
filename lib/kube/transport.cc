#include "lib/kube/transport.h"

#include <mutex>
#include <utility>

#include "lib/kube/link.h"

namespace searchsync::kube {
namespace {

class HttpTransport final : public Transport {
 public:
  HttpTransport(Credentials& credentials, metrics::Registry& registry)
      : credentials_(credentials),
        registry_(registry),
        host_(host_of(credentials.config().server)) {}

  Result<http::ClientResponse> send(const http::ClientRequest& request) override {
    ASSIGN_OR_RETURN(const auto current, credentials_.current());
    auto response = send_as(request, *current);
    if (!response || response->status != 401) return response;
    credentials_.rejected(current->revision);
    const auto fresh = credentials_.current();
    if (!fresh || (*fresh)->revision == current->revision) return response;
    return send_as(request, **fresh);
  }

  // Makes a client for the certificates of `current` if they are new.
  Result<std::shared_ptr<http::Client>> client(const Credentials::Current& current) {
    const std::lock_guard lock(mutex_);
    if (client_ && tls_revision_ == current.tls_revision) return client_;
    ASSIGN_OR_RETURN(auto made, http::Client::create(link_options(credentials_.config(), current)));
    client_ = std::move(made);
    tls_revision_ = current.tls_revision;
    return client_;
  }

 private:
  Result<http::ClientResponse> send_as(const http::ClientRequest& request,
                                       const Credentials::Current& current) {
    ASSIGN_OR_RETURN(const auto client, this->client(current));
    http::ClientRequest authorized = request;
    authorize(authorized, credentials_.config(), current);
    auto response = client->request(authorized);
    count_request(registry_, host_, request.method, response ? response->status : 0);
    return response;
  }

  // Constant after construction.
  Credentials& credentials_;
  metrics::Registry& registry_;
  const std::string host_;

  std::mutex mutex_;
  // Guarded by mutex_. Shared: who has begun a request with the former one ends it with that.
  std::shared_ptr<http::Client> client_;
  uint64_t tls_revision_ = 0;
};

}  // namespace

Result<std::unique_ptr<Transport>> connect(Credentials& credentials, metrics::Registry& registry) {
  auto transport = std::make_unique<HttpTransport>(credentials, registry);
  ASSIGN_OR_RETURN(const auto current, credentials.current());
  RETURN_IF_ERROR(transport->client(*current));
  return transport;
}

}  // namespace searchsync::kube
