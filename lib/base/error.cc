#include "lib/base/error.h"

namespace searchsync {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kPermission:
      return "permission denied";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kLimit:
      return "limit reached";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kFenced:
      return "fenced";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

bool Error::retryable() const {
  switch (code) {
    case ErrorCode::kLimit:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
      return true;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kMalformed:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kPermission:
    case ErrorCode::kUnsupported:
    case ErrorCode::kFenced:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return false;
  }
  return false;
}

std::unexpected<Error> fail(const Error& cause, std::string_view context) {
  return fail(cause.code, std::string(context) + ": " + cause.message);
}

}  // namespace searchsync
