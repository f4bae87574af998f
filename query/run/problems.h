#pragma once

#include "lib/http/server.h"
#include "query/answer.h"
#include "query/faults.h"

namespace searchsync::query {

// The answers to what went wrong, in the server's form of errors.
http::Response faults_response(const Faults& faults);
http::Response problem_response(const EngineProblem& problem);

// 503 or 429 with Retry-After.
http::Response later_response(int status, std::string_view code, std::string_view message,
                              int64_t seconds);

}  // namespace searchsync::query
