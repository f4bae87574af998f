#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "query/answer.h"
#include "query/request.h"

namespace searchsync::query {

// GET  /v1/{index}/documents/{id}   {"id", "source"}; as last written, refreshed or not
// POST /v1/{index}/search           {"total", "hits", "cursor", "facets", "tookMs", "engineTookMs"}
// POST /v1/{index}/count            {"count", "tookMs", "engineTookMs"}
// GET  /v1/{index}/fields           what can be asked of which field
//
// Errors, in the server's form: 400 invalid_request with every fault, or engine_refused; 404
// unknown_index, no_such_document; 502 partial_result, engine_unreadable, engine_credentials; 503
// engine_unavailable with Retry-After; 504 engine_timeout. Never part of an answer.
//
// Thread-safe: handlers share nothing but the client and metrics, which are.
class Service {
 public:
  // index: the alias that is read, and {index} in the paths. All references must outlive the server
  // that the routes are added to, and so must this.
  Service(std::string index, Rules rules, http::Client& engine, metrics::Registry& registry);

  void add_routes(http::Server& server);

 private:
  // Counts and times what `body` answers, as `endpoint`.
  http::Handler handler(std::string endpoint,
                        http::Response (Service::*body)(const http::Request&));
  http::Response document(const http::Request& request);
  http::Response search(const http::Request& request);
  http::Response count(const http::Request& request);
  http::Response fields(const http::Request& request);
  Result<http::ClientResponse> ask(std::string_view method, std::string path, std::string body);

  const std::string index_;
  const Rules rules_;
  const std::string fields_body_;
  http::Client& engine_;
  metrics::Registry& registry_;
  const metrics::Histogram engine_seconds_;
};

}  // namespace searchsync::query
