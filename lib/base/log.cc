#include "lib/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

namespace searchsync::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_logger_mt("searchsync");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<void> configure(std::string_view level, std::string_view role) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("log level '{}' is unknown: use debug, info, warning, error or off", level));
  }
  logger().set_level(parsed);
  logger().set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%eZ %L {} %v", role),
                       spdlog::pattern_time_type::utc);
  return {};
}

void write(Level level, fmt::string_view format, fmt::format_args arguments) {
  const auto mapped = to_spdlog(level);
  if (!logger().should_log(mapped)) return;
  logger().log(mapped, fmt::vformat(format, arguments));
}

}  // namespace searchsync::log
