#include "lib/kube/api_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/utf8.h"

namespace searchsync::kube {
namespace {

using Json = nlohmann::json;

constexpr size_t kMessageBytesMax = 2048;
constexpr size_t kCausesMax = 32;
constexpr int64_t kRetryAfterMax = 3600;

std::string shortened(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  return std::string(cut_utf8(text, bytes_max)) + "…";
}

ApiReason reason_of(int status) {
  switch (status) {
    case 401:
      return ApiReason::kUnauthorized;
    case 403:
      return ApiReason::kForbidden;
    case 404:
      return ApiReason::kNotFound;
    case 405:
    case 406:
    case 415:
      return ApiReason::kMethodNotAllowed;
    case 408:
    case 504:
      return ApiReason::kTimeout;
    case 409:
      return ApiReason::kConflict;
    case 410:
      return ApiReason::kExpired;
    case 413:
      return ApiReason::kTooLarge;
    case 422:
      return ApiReason::kInvalid;
    case 429:
      return ApiReason::kTooManyRequests;
    case 502:
    case 503:
      return ApiReason::kUnavailable;
    default:
      return status >= 400 && status < 500 ? ApiReason::kBadRequest : ApiReason::kInternal;
  }
}

ErrorCode code_of(ApiReason reason) {
  switch (reason) {
    case ApiReason::kNotFound:
      return ErrorCode::kNotFound;
    case ApiReason::kAlreadyExists:
    case ApiReason::kConflict:
    case ApiReason::kExpired:
      return ErrorCode::kConflict;
    case ApiReason::kInvalid:
    case ApiReason::kBadRequest:
    case ApiReason::kTooLarge:
      return ErrorCode::kInvalidArgument;
    case ApiReason::kUnauthorized:
    case ApiReason::kForbidden:
      return ErrorCode::kPermission;
    case ApiReason::kTooManyRequests:
    case ApiReason::kUnavailable:
      return ErrorCode::kUnavailable;
    case ApiReason::kTimeout:
      return ErrorCode::kTimeout;
    case ApiReason::kMethodNotAllowed:
      return ErrorCode::kUnsupported;
    case ApiReason::kInternal:
      return ErrorCode::kInternal;
    case ApiReason::kMalformed:
      return ErrorCode::kMalformed;
    case ApiReason::kCancelled:
      return ErrorCode::kCancelled;
  }
  return ErrorCode::kInternal;
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<ApiCause> causes_of(const Json& details) {
  std::vector<ApiCause> causes;
  const auto found = details.find("causes");
  if (found == details.end() || !found->is_array()) return causes;
  for (const Json& cause : *found) {
    if (!cause.is_object() || causes.size() == kCausesMax) continue;
    causes.push_back({.field = text_of(cause, "field"),
                      .reason = text_of(cause, "reason"),
                      .message = shortened(text_of(cause, "message"), kMessageBytesMax)});
  }
  return causes;
}

// The causes that the message does not hold already, as it usually does.
std::string with_causes(std::string message, const std::vector<ApiCause>& causes) {
  for (const ApiCause& cause : causes) {
    if (cause.field.empty() || message.find(cause.field) != std::string::npos) continue;
    message += fmt::format("; {}: {}", cause.field, cause.message);
  }
  return message;
}

}  // namespace

std::string_view to_string(ApiReason reason) {
  switch (reason) {
    case ApiReason::kNotFound:
      return "NotFound";
    case ApiReason::kAlreadyExists:
      return "AlreadyExists";
    case ApiReason::kConflict:
      return "Conflict";
    case ApiReason::kInvalid:
      return "Invalid";
    case ApiReason::kBadRequest:
      return "BadRequest";
    case ApiReason::kUnauthorized:
      return "Unauthorized";
    case ApiReason::kForbidden:
      return "Forbidden";
    case ApiReason::kExpired:
      return "Expired";
    case ApiReason::kTooManyRequests:
      return "TooManyRequests";
    case ApiReason::kTimeout:
      return "Timeout";
    case ApiReason::kUnavailable:
      return "Unavailable";
    case ApiReason::kMethodNotAllowed:
      return "MethodNotAllowed";
    case ApiReason::kTooLarge:
      return "TooLarge";
    case ApiReason::kInternal:
      return "InternalError";
    case ApiReason::kMalformed:
      return "Malformed";
    case ApiReason::kCancelled:
      return "Cancelled";
  }
  return "Unknown";
}

ApiError read_api_error(std::string_view what, int status, std::string_view body,
                        std::string_view retry_after) {
  ApiError error;
  error.status = status;
  error.reason = reason_of(status);
  error.retry_after = parse_retry_after(retry_after);
  std::string message;
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_object() && text_of(json, "kind") == "Status") {
    message = text_of(json, "message");
    if (text_of(json, "reason") == "AlreadyExists") error.reason = ApiReason::kAlreadyExists;
    if (const auto details = json.find("details"); details != json.end() && details->is_object()) {
      error.causes = causes_of(*details);
      const auto seconds = details->find("retryAfterSeconds");
      if (!error.retry_after && seconds != details->end() && seconds->is_number_unsigned()) {
        const auto asked = std::min<uint64_t>(seconds->get<uint64_t>(), kRetryAfterMax);
        error.retry_after = std::chrono::seconds(asked);
      }
    }
  } else {
    message = std::string(body.substr(0, 200));
  }
  // What came as text from outside may be no UTF-8, or of several lines.
  std::ranges::replace_if(
      message, [](unsigned char c) { return c < 0x20; }, ' ');
  if (message.empty()) message = "no reason was given";
  error.code = code_of(error.reason);
  error.message =
      fmt::format("{}: {} ({} {})", what,
                  shortened(with_causes(std::move(message), error.causes), kMessageBytesMax),
                  to_string(error.reason), status);
  return error;
}

ApiError to_api_error(const Error& error) {
  ApiError api;
  static_cast<Error&>(api) = error;
  switch (error.code) {
    case ErrorCode::kTimeout:
      api.reason = ApiReason::kTimeout;
      break;
    case ErrorCode::kLimit:
      api.reason = ApiReason::kTooLarge;
      break;
    case ErrorCode::kMalformed:
      api.reason = ApiReason::kMalformed;
      break;
    case ErrorCode::kCancelled:
      api.reason = ApiReason::kCancelled;
      break;
    case ErrorCode::kPermission:
      api.reason = ApiReason::kUnauthorized;
      break;
    case ErrorCode::kInvalidArgument:
      api.reason = ApiReason::kBadRequest;
      break;
    case ErrorCode::kUnavailable:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kUnsupported:
    case ErrorCode::kFenced:
    case ErrorCode::kInternal:
      // Not NotFound, which would speak of an object: a file of the credentials is missing.
      api.reason = ApiReason::kUnavailable;
      if (error.code == ErrorCode::kNotFound) api.code = ErrorCode::kUnavailable;
      break;
  }
  return api;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value) {
  int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (failed != std::errc() || end != value.data() + value.size() || seconds < 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(std::min(seconds, kRetryAfterMax));
}

}  // namespace searchsync::kube
