#include "query/run/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/log.h"

namespace searchsync::query {
namespace {

using std::chrono::milliseconds;

// What is left for the engine's word to arrive.
milliseconds grace(milliseconds left) {
  return std::min(milliseconds(500), left / 5);
}

// The connection failed. Where the engine is and why it cannot be reached concerns the log, not the
// caller.
EngineProblem failure(const Error& error) {
  log::warning("search engine: {}", error.message);
  if (error.code == ErrorCode::kTimeout) {
    return {EngineFault::kSlow, "the search engine did not answer in time"};
  }
  if (error.code == ErrorCode::kLimit) {
    return {EngineFault::kTooLarge,
            "the documents are too large for one page; ask for a smaller size or for fewer fields"};
  }
  return {EngineFault::kAway, "the search engine cannot be reached"};
}

}  // namespace

Engine::Engine(http::Client& client, metrics::Registry& registry)
    : client_(client),
      seconds_(registry.histogram(
          "searchsync_query_engine_duration_seconds",
          "Time from sending a query to the search engine until its whole "
          "answer is there",
          {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30})) {}

Engine::Asked Engine::search(std::string_view name, std::string_view body,
                             Clock::time_point deadline, Partial partial,
                             std::string_view parameters) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  const auto own = std::max(left - grace(left), milliseconds(1));
  return call("POST",
              fmt::format("{}{}/_search?allow_partial_search_results={}{}", name.empty() ? "" : "/",
                          name, partial == Partial::kAllowed, parameters),
              fmt::format(R"({{"timeout":"{}ms",{})", own.count(), body.substr(1)), deadline);
}

Engine::Asked Engine::call(std::string_view method, std::string path, std::string body,
                           Clock::time_point deadline) {
  const auto start = Clock::now();
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - start);
  if (left <= left.zero()) {
    return std::unexpected(EngineProblem{EngineFault::kSlow, "there was no time left to ask"});
  }
  http::ClientRequest request{.method = std::string(method),
                              .path = std::move(path),
                              .headers = {},
                              .body = std::move(body),
                              .timeout = left};
  if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  auto response = client_.request(request);
  seconds_.observe(std::chrono::duration<double>(Clock::now() - start).count());
  if (!response) return std::unexpected(failure(response.error()));
  return std::move(*response);
}

}  // namespace searchsync::query
