#include "capture/run/state_topic.h"

#include <fmt/core.h>

#include "capture/run/topics.h"

namespace searchsync::capture {

std::string state_topic_name(std::string_view namespace_name, std::string_view capture_name) {
  return fmt::format("searchsync.capture.{}.{}", namespace_name, capture_name);
}

Result<std::optional<CaptureState>> load_state(const kafka::ClientConfig& config,
                                               kafka::Admin& admin, const std::string& topic,
                                               std::string_view key,
                                               FunctionRef<Result<void>()> while_waiting) {
  std::optional<std::string> newest;
  RETURN_IF_ERROR(read_topic(
      config, admin, topic,
      [&](std::optional<std::string_view> found, std::optional<std::string_view> value) {
        if (found == key && value) newest = std::string(*value);
      },
      while_waiting));
  if (!newest) return std::nullopt;
  ASSIGN_OR_RETURN(CaptureState state, parse_state(*newest));
  return state;
}

}  // namespace searchsync::capture
