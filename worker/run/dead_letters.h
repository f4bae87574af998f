#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"
#include "lib/kafka/producer.h"

namespace searchsync::worker {

// Something that was given up on, with all that is needed to see why and to try again. As a record
// of the dead-letter topic: the key and the value are those of what was refused, byte for byte, the
// rest is in headers "searchsync-<name>".
struct DeadLetter {
  std::string_view stage;    // "decode": a source's record; "fold": a message; "index": a document
  std::string_view binding;  // empty if it concerns the whole document
  std::string_view topic;    // where it came from
  Partition partition;
  Offset offset;
  std::string_view reason;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

// The record's headers; views into `letter` and into `numbers`, which must outlive them.
std::vector<kafka::Header> dead_letter_headers(const DeadLetter& letter,
                                               std::vector<std::string>& numbers);

}  // namespace searchsync::worker
