#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "capture/core/state.h"
#include "lib/base/error.h"
#include "lib/base/function_ref.h"

namespace searchsync::capture {

// One record of a topic, by what it says about its key.
struct TopicRecord {
  enum class Kind { kRow, kDelete, kTombstone };
  Kind kind = Kind::kRow;
  Position position;  // zeros where the record says none: a tombstone, or not written by us
};

// Which keys of a topic some reader takes for alive, from its records, each key's in their order.
// Readers differ: one keeps the last record of a key, another that with the highest position; and
// while records are being sent again, those two are not the same.
//
// Only a key's last record tells, so all keys are remembered: a slice of them at a time, chosen by
// hash. Read the topic once a slice, until next_slice() says that all were.
class LiveKeys {
 public:
  explicit LiveKeys(size_t bytes_max) : bytes_max_(bytes_max) {}

  void add(std::string_view key, const TopicRecord& record);

  // Visits the slice's keys that are alive and whose highest position is below `below`. In any
  // order.
  Result<void> each(Position below, FunctionRef<Result<void>(std::string_view key)> visit) const;

  // Forgets this slice. Keys of a slice may be visited again in a later one: when a slice turned
  // out too large and was halved.
  bool next_slice();

 private:
  struct Key {
    Position highest;
    bool highest_alive = false;
    bool last_alive = false;
  };
  void halve();

  const size_t bytes_max_;
  uint64_t slices_ = 1;
  uint64_t slice_ = 0;
  size_t bytes_ = 0;
  std::unordered_map<std::string, Key> keys_;
};

}  // namespace searchsync::capture
