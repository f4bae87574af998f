#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/kafka/client.h"
#include "lib/kafka/handle.h"

namespace searchsync::kafka {

// Asks a cluster which consumer groups there are. Not thread-safe.
class GroupList {
 public:
  // Connects to nothing yet. Errors: kInvalidArgument.
  static Result<std::unique_ptr<GroupList>> create(const ClientConfig& config,
                                                   std::chrono::milliseconds timeout);

  // Those whose names begin so, sorted; also those without members whose offsets are kept.
  // Errors: also if only one of the brokers does not answer, for it may have more.
  Result<std::vector<std::string>> find(std::string_view prefix);

 private:
  GroupList(Handle<rd_kafka_s> client, std::string brokers, std::chrono::milliseconds timeout);

  const Handle<rd_kafka_s> client_;
  const std::string brokers_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace searchsync::kafka
