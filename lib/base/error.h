#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace searchsync {

// The closed set of ways an operation can fail that its caller is expected to handle. A bug is not
// among them: that is a CHECK. A business outcome (a stale write, a missing row) is a value.
enum class ErrorCode {
  kInvalidArgument,  // what a person or a program asked for is wrong; the message says what to
                     // change
  kMalformed,        // bytes from outside do not have the form they must have
  kNotFound,
  kConflict,     // it exists already, or somebody else owns it
  kPermission,   // credentials are missing, wrong or too weak
  kUnsupported,  // the other side is too old or is configured in a way that cannot work
  kLimit,        // a bound was reached: a queue is full, a body too large
  kTimeout,
  kUnavailable,  // the other side is away or overloaded
  kFenced,       // somebody newer has taken over; stop doing this
  kCancelled,    // we were asked to stop
  kInternal,     // the other side broke its own contract
};

std::string_view to_string(ErrorCode code);

// An expected failure. The message says what was wrong, where, what was expected and what to do,
// and never holds a secret.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // Whether the same operation may succeed later without anybody changing anything.
  bool retryable() const;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// The same error with "context: " before its message.
std::unexpected<Error> fail(const Error& cause, std::string_view context);

}  // namespace searchsync

// Returns the error of `expression`, a Result, from the calling function.
#define RETURN_IF_ERROR(expression)                       \
  do {                                                    \
    if (auto result_ = (expression); !result_) {          \
      return std::unexpected(std::move(result_).error()); \
    }                                                     \
  } while (false)

#define SEARCHSYNC_CONCAT_(a, b) a##b
#define SEARCHSYNC_CONCAT(a, b) SEARCHSYNC_CONCAT_(a, b)

// ASSIGN_OR_RETURN(auto x, f()): x is the value of f(), or its error is returned.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_(SEARCHSYNC_CONCAT(assign_result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_(temporary, declaration, expression) \
  auto temporary = (expression);                              \
  if (!temporary) {                                           \
    return std::unexpected(std::move(temporary).error());     \
  }                                                           \
  declaration = std::move(*temporary)
