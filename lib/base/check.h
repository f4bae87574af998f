#pragma once

// CHECK(condition): a bug if false. Stays on in release builds; logs where and aborts.
// CHECK(condition, "what that means: {}", value) adds an explanation.

#include <fmt/core.h>

#include <string_view>

namespace searchsync {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view explanation);

}  // namespace searchsync

#define CHECK(condition, ...)                                                                    \
  do {                                                                                           \
    if (!(condition)) [[unlikely]] {                                                             \
      ::searchsync::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
    }                                                                                            \
  } while (false)
