#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/dead_letters/letter.h"
#include "lib/kafka/poll_batch.h"

namespace searchsync::dlq {

// A dead letter that outlives the batch it was read in.
struct KeptLetter {
  dead_letters::Place place;
  int64_t timestamp_ms = 0;  // when it was given up on, since 1970
  std::string stage;         // see dead_letters::Letter for these
  std::string binding;
  std::string topic;
  Partition partition;
  Offset offset;
  std::string log;
  std::string reason;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

KeptLetter keep(const kafka::Message& message);

}  // namespace searchsync::dlq
