#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "capture/core/seams.h"
#include "capture/core/state.h"

namespace searchsync::capture::testing {

struct FakeRecord {
  std::string key;
  std::optional<std::string> value;
};

// What an envelope says, read with a parser that shares nothing with the writer.
struct EnvelopeFacts {
  Position position;
  bool deleted = false;
  int number = 0;
  std::string large;
};
EnvelopeFacts facts_of(const std::string& value);

// A compacted topic of several partitions, and the producer in front of it.
//
// Fault model: a record that was appended is in flight for any time; in each partition records
// arrive in order; an acknowledgement comes any time after the arrival; a crash loses what is in
// flight and what acknowledgements are under way.
class FakeTopic final : public Outlet {
 public:
  explicit FakeTopic(uint64_t seed) : random_(seed) {}

  Result<void> append(size_t table, std::string_view key, std::optional<std::string_view> value,
                      uint64_t token) override;
  Result<void> each_live_key(size_t table, Position below,
                             FunctionRef<Result<void>(std::string_view key)> visit) override;

  // Something happens in Kafka.
  void step(const std::function<void(uint64_t token)>& acknowledge);
  // Everything arrives and is acknowledged.
  void settle(const std::function<void(uint64_t token)>& acknowledge);
  void crash();

  const std::vector<FakeRecord>& partition(size_t index) const { return partitions_[index]; }
  static constexpr size_t kPartitions = 3;

 private:
  struct InFlight {
    FakeRecord record;
    uint64_t token;
  };
  void arrive(size_t partition);

  std::mt19937_64 random_;
  std::vector<FakeRecord> partitions_[kPartitions];
  std::deque<InFlight> in_flight_[kPartitions];
  std::vector<uint64_t> unacknowledged_;  // tokens of records that arrived
};

}  // namespace searchsync::capture::testing
