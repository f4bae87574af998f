#pragma once

// How our HTTP clients are set up for an API server. For transport.cc and reflector.cc only.

#include <string>
#include <string_view>

#include "lib/http/client.h"
#include "lib/kube/credentials.h"

namespace searchsync::metrics {
class Registry;
}

namespace searchsync::kube {

// Certificates, but no token: that goes with each request.
http::ClientOptions link_options(const ClusterConfig& config, const Credentials::Current& current);

// Adds the token, if there is one and the way is secret.
void authorize(http::ClientRequest& request, const ClusterConfig& config,
               const Credentials::Current& current);

// "host:port", for the metric's label.
std::string host_of(std::string_view server);

// rest_client_requests_total{code,method,host}; status 0: there was no answer.
void count_request(metrics::Registry& registry, std::string_view host, std::string_view method,
                   int status);

}  // namespace searchsync::kube
