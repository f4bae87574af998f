#pragma once

// Logging, for people and for machines: one line an event on standard error, through spdlog.
// A message names the thing it speaks of ("topic bug-db.public.bugs partition 3: …") and never
// holds a secret or a document's content.

#include <fmt/core.h>

#include <string_view>

#include "lib/base/error.h"

namespace searchsync::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Sets what is printed. Call once, from main, before any thread starts. `role` is printed with each
// line, so that the lines of several processes can be told apart.
Result<void> configure(std::string_view level, std::string_view role);

void write(Level level, fmt::string_view format, fmt::format_args arguments);

template <class... T>
void debug(fmt::format_string<T...> format, T&&... values) {
  write(Level::kDebug, format, fmt::make_format_args(values...));
}
template <class... T>
void info(fmt::format_string<T...> format, T&&... values) {
  write(Level::kInfo, format, fmt::make_format_args(values...));
}
template <class... T>
void warning(fmt::format_string<T...> format, T&&... values) {
  write(Level::kWarning, format, fmt::make_format_args(values...));
}
template <class... T>
void error(fmt::format_string<T...> format, T&&... values) {
  write(Level::kError, format, fmt::make_format_args(values...));
}

}  // namespace searchsync::log
