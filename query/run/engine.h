#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "lib/http/client.h"
#include "lib/metrics/registry.h"
#include "query/answer.h"

namespace searchsync::query {

// The search engine, asked within a deadline. Thread-safe.
class Engine {
 public:
  using Clock = std::chrono::steady_clock;
  using Asked = std::expected<http::ClientResponse, EngineProblem>;

  // `client` must outlive this.
  Engine(http::Client& client, metrics::Registry& registry);

  // name: of an index or alias, or several with commas; empty: the body has a point in time. body:
  // of _search, an object without "timeout": the engine gives up by itself a little before the
  // deadline, so that it is its own word that arrives. parameters: further ones, "&name=value…".
  Asked search(std::string_view name, std::string_view body, Clock::time_point deadline,
               Partial partial = Partial::kRefused, std::string_view parameters = "");

  // path: percent-encoded. The engine's answer, whatever its status.
  Asked call(std::string_view method, std::string path, std::string body,
             Clock::time_point deadline);

  http::Client& client() { return client_; }

 private:
  http::Client& client_;
  const metrics::Histogram seconds_;
};

}  // namespace searchsync::query
