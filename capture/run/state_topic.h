#pragma once

#include <optional>
#include <string>

#include "capture/core/state.h"
#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"

namespace searchsync::capture {

// searchsync.capture.<namespace>.<name>
std::string state_topic_name(std::string_view namespace_name, std::string_view capture_name);

// The state saved last under `key` in the topic, which has one partition; nullopt: none.
Result<std::optional<CaptureState>> load_state(const kafka::ClientConfig& config,
                                               kafka::Admin& admin, const std::string& topic,
                                               std::string_view key,
                                               FunctionRef<Result<void>()> while_waiting);

}  // namespace searchsync::capture
