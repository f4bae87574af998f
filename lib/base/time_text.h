#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace searchsync {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// "2026-02-28T12:00:00Z", with a fraction of any length and with any offset. Nothing for other
// text, in lowercase or with a space in it either. Source: RFC 3339, section 5.6.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// "2026-02-28T12:00:00Z".
std::string format_time(std::chrono::sys_seconds time);

// "2026-02-28T12:00:00.000000Z": Kubernetes' MicroTime.
std::string format_micro_time(WallTime time);

}  // namespace searchsync
