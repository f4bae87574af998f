#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/client.h"

namespace searchsync::dlq {

struct Outgoing {
  std::string topic;
  Partition partition;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Returns when all records are in their topics. Errors: some may be.
Result<void> append(const kafka::ClientConfig& config, const std::vector<Outgoing>& records);

}  // namespace searchsync::dlq
