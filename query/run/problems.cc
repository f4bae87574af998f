#include "query/run/problems.h"

#include "lib/base/check.h"

namespace searchsync::query {

http::Response faults_response(const Faults& faults) {
  return {.status = faults.refused() ? 422 : 400, .body = render(faults), .headers = {}};
}

http::Response later_response(int status, std::string_view code, std::string_view message,
                              int64_t seconds) {
  auto response = http::error_response(status, code, message);
  response.headers.emplace_back("Retry-After", std::to_string(seconds));
  return response;
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
    case EngineFault::kAway:
      return later_response(503, "engine_unavailable", problem.message, 1);
    case EngineFault::kSlow:
      return http::error_response(504, "engine_timeout", problem.message);
    case EngineFault::kTooLarge:
      return http::error_response(400, "answer_too_large", problem.message);
  }
  CHECK(false);
}

}  // namespace searchsync::query
