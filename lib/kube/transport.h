#pragma once

#include <memory>

#include "lib/base/error.h"
#include "lib/http/client.h"

namespace searchsync::metrics {
class Registry;
}

namespace searchsync::kube {

class Credentials;

// The way to an API server: the seam at which tests put a server in memory.
class Transport {
 public:
  virtual ~Transport() = default;

  // Waits for the answer, at most request.timeout. A status is not an error. Thread-safe.
  // Errors: those of http::Client.
  virtual Result<http::ClientResponse> send(const http::ClientRequest& request) = 0;
};

// Over HTTPS, with the credentials as they are at each request; after a 401 once more if there are
// new ones. Counts rest_client_requests_total{code,method,host}. `credentials` and `registry` must
// outlive it.
Result<std::unique_ptr<Transport>> connect(Credentials& credentials, metrics::Registry& registry);

}  // namespace searchsync::kube
