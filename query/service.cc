#include "query/service.h"

#include <fmt/format.h>

#include <chrono>

#include "lib/base/check.h"
#include "lib/base/log.h"

namespace searchsync::query {
namespace {

using Clock = std::chrono::steady_clock;

// The engine gives up by itself at the query's timeout and says so; the connection waits a little
// longer, so that it is the engine's word that arrives.
constexpr std::chrono::milliseconds kEngineGrace{500};
constexpr std::string_view kRetryAfterSeconds = "1";

std::vector<double> buckets() {
  return {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
}

http::Response problem_response(const EngineProblem& problem) {
  switch (problem.fault) {
    case EngineFault::kRefused:
      return http::error_response(400, "engine_refused", problem.message);
    case EngineFault::kPartial:
      return http::error_response(502, "partial_result", problem.message);
    case EngineFault::kUnreadable:
      return http::error_response(502, "engine_unreadable", problem.message);
    case EngineFault::kCredentials:
      return http::error_response(502, "engine_credentials", problem.message);
    case EngineFault::kAway: {
      auto response = http::error_response(503, "engine_unavailable", problem.message);
      response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
      return response;
    }
    case EngineFault::kSlow:
      return http::error_response(504, "engine_timeout", problem.message);
  }
  CHECK(false);
}

// The connection failed. Where the engine is and why it cannot be reached concerns the log, not the
// caller.
http::Response failure_response(const Error& error) {
  log::warning("search engine: {}", error.message);
  if (error.code == ErrorCode::kTimeout) {
    return problem_response({EngineFault::kSlow, "the search engine did not answer in time"});
  }
  if (error.code == ErrorCode::kLimit) {
    return http::error_response(400, "answer_too_large",
                                "the documents are too large for one page; ask for a smaller size "
                                "or for fewer fields");
  }
  return problem_response({EngineFault::kAway, "the search engine cannot be reached"});
}

http::Response faults_response(const Faults& faults) {
  return {.status = 400, .body = render(faults), .headers = {}};
}

http::Response timed(const Answer& answer, Clock::time_point start) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  return {.body = fmt::format(R"({{{},"tookMs":{},"engineTookMs":{}}})", answer.members,
                              took.count(), answer.engine_took_ms),
          .headers = {}};
}

}  // namespace

Service::Service(std::string index, Rules rules, http::Client& engine, metrics::Registry& registry)
    : index_(std::move(index)),
      rules_(std::move(rules)),
      fields_body_(render_fields(index_, rules_.catalog)),
      engine_(engine),
      registry_(registry),
      engine_seconds_(registry.histogram("searchsync_query_engine_duration_seconds",
                                         "Time from sending a query to the search engine until its "
                                         "whole answer is there",
                                         buckets())) {}

http::Handler Service::handler(std::string endpoint,
                               http::Response (Service::*body)(const http::Request&)) {
  const auto seconds = registry_.histogram("searchsync_query_duration_seconds",
                                           "Time that requests took, the search engine included",
                                           buckets(), {{"endpoint", endpoint}});
  return [this, endpoint, seconds, body](const http::Request& request) {
    const auto start = Clock::now();
    http::Response response =
        request.path_parameter("index") == index_
            ? (this->*body)(request)
            : http::error_response(404, "unknown_index",
                                   fmt::format("this service answers for /v1/{} only", index_));
    seconds.observe(std::chrono::duration<double>(Clock::now() - start).count());
    registry_
        .counter("searchsync_query_requests_total", "Requests answered, by status",
                 {{"endpoint", endpoint}, {"status", std::to_string(response.status)}})
        .add();
    return response;
  };
}

void Service::add_routes(http::Server& server) {
  server.route(http::Method::kGet, "/v1/{index}/documents/{id}",
               handler("document", &Service::document));
  server.route(http::Method::kPost, "/v1/{index}/search", handler("search", &Service::search));
  server.route(http::Method::kPost, "/v1/{index}/count", handler("count", &Service::count));
  server.route(http::Method::kGet, "/v1/{index}/fields", handler("fields", &Service::fields));
}

Result<http::ClientResponse> Service::ask(std::string_view method, std::string path,
                                          std::string body) {
  http::ClientRequest request{.method = std::string(method),
                              .path = std::move(path),
                              .headers = {},
                              .body = std::move(body),
                              .timeout = rules_.timeout + kEngineGrace};
  if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  const auto start = Clock::now();
  auto response = engine_.request(request);
  engine_seconds_.observe(std::chrono::duration<double>(Clock::now() - start).count());
  return response;
}

http::Response Service::document(const http::Request& request) {
  const std::string& id = request.path_parameter("id");
  const auto response =
      ask("GET", fmt::format("/{}/_doc/{}", index_, http::percent_encode(id)), "");
  if (!response) return failure_response(response.error());
  const auto answer = document_answer(response->status, response->body);
  if (!answer) return problem_response(answer.error());
  if (answer->members.empty()) {
    return http::error_response(404, "no_such_document", "there is no document with this id");
  }
  return {.body = "{" + answer->members + "}", .headers = {}};
}

http::Response Service::search(const http::Request& request) {
  const auto start = Clock::now();
  auto plan = plan_search(request.body, rules_);
  if (!plan) return faults_response(plan.error());
  const auto response =
      ask("POST", fmt::format("/{}/_search?allow_partial_search_results=false", index_),
          std::move(plan->body));
  if (!response) return failure_response(response.error());
  const auto answer = search_answer(response->status, response->body, *plan);
  if (!answer) return problem_response(answer.error());
  return timed(*answer, start);
}

http::Response Service::count(const http::Request& request) {
  const auto start = Clock::now();
  auto body = plan_count(request.body, rules_);
  if (!body) return faults_response(body.error());
  const auto response =
      ask("POST", fmt::format("/{}/_search?allow_partial_search_results=false", index_),
          std::move(*body));
  if (!response) return failure_response(response.error());
  const auto answer = count_answer(response->status, response->body);
  if (!answer) return problem_response(answer.error());
  return timed(*answer, start);
}

http::Response Service::fields(const http::Request&) {
  return {.body = fields_body_, .headers = {}};
}

}  // namespace searchsync::query
