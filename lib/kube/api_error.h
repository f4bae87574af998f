#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::kube {

// Why the API server, or the way to it, refused. Closed; a reason that is not among them becomes
// what its HTTP status says.
enum class ApiReason {
  kNotFound,
  kAlreadyExists,
  kConflict,          // another resourceVersion or uid, or a field owned by another manager
  kInvalid,           // 422: the object breaks its schema; see causes
  kBadRequest,        // any other 4xx: we sent something wrong
  kUnauthorized,      // 401: no credentials, or not any more
  kForbidden,         // 403: RBAC or an admission rule; a namespace that is being deleted, too
  kExpired,           // 410: the resourceVersion or continue token is too old; list again
  kTooManyRequests,   // 429; see retry_after
  kTimeout,           // no answer in time: the request may have been carried out
  kUnavailable,       // not reached, connection broken, 502, 503: a write may have been carried out
  kMethodNotAllowed,  // 405, 406, 415: the server does not offer this
  kTooLarge,          // 413, or an answer over our own limit
  kInternal,          // 500
  kMalformed,         // the answer cannot be read
  kCancelled,
};

std::string_view to_string(ApiReason reason);  // "NotFound"

// One of a Status's details.causes.
struct ApiCause {
  std::string field;    // "spec.replicas"; may be empty
  std::string reason;   // "FieldValueInvalid", "FieldManagerConflict"; may be empty
  std::string message;  // as the server wrote it
  friend bool operator==(const ApiCause&, const ApiCause&) = default;
};

// An Error with more to decide by. Where an Error is asked for, it is one: RETURN_IF_ERROR and
// ASSIGN_OR_RETURN pass it on from functions that return a Result. The message names method, path
// and status, and holds the server's own words with its causes.
struct ApiError : Error {
  ApiReason reason = ApiReason::kInternal;
  int status = 0;  // HTTP; 0: there was no answer
  std::vector<ApiCause> causes;
  std::optional<std::chrono::seconds> retry_after;  // what the server asked for
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

// Reads an answer that is not a success. what: "GET /api/v1/…", for the message. body: a Status
// object, or whatever a proxy in between has to say. retry_after: the header's value, or "".
ApiError read_api_error(std::string_view what, int status, std::string_view body,
                        std::string_view retry_after);

// Of a request without an answer.
ApiError to_api_error(const Error& error);

// A Retry-After header in seconds, 0..an hour. Nothing for a date or anything else.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value);

}  // namespace searchsync::kube
