#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/function_ref.h"
#include "lib/base/named.h"

struct rd_kafka_message_s;

namespace searchsync::kafka {

// A record of a topic. All views are valid until the PollBatch it came in is destroyed.
class Message {
 public:
  std::string_view topic;
  Partition partition;
  Offset offset;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nullopt: a tombstone
  int64_t timestamp_ms = -1;              // since 1970, UTC; -1: the record has none

  // The newest header of that name; a header without a value is empty. Not thread-safe for the
  // same message: headers are decoded at the first call.
  std::optional<std::string_view> header(const char* name) const;
  // All headers, in their order.
  void each_header(FunctionRef<void(std::string_view name, std::string_view value)> visit) const;

 private:
  friend class PollBatch;
  rd_kafka_message_s* raw_ = nullptr;
};

// Everything in the partition up to `offset` (exclusive) has been delivered, and at that moment
// there was no more.
struct PartitionEnd {
  std::string_view topic;
  Partition partition;
  Offset offset;  // the next to be written, as far as the broker said
};

using Event = std::variant<Message, PartitionEnd>;

// What one Consumer::poll() returned, in order; messages of one partition by rising offset. Owns
// the memory of its messages and must be destroyed before its Consumer.
class PollBatch {
 public:
  PollBatch();
  ~PollBatch();
  PollBatch(PollBatch&&) noexcept;
  PollBatch& operator=(PollBatch&&) noexcept;

  auto begin() const { return events_.begin(); }
  auto end() const { return events_.end(); }
  size_t size() const { return events_.size(); }
  bool empty() const { return events_.empty(); }
  const Event& operator[](size_t i) const { return events_[i]; }

 private:
  friend class Consumer;
  void add_message(rd_kafka_message_s* raw, std::string_view topic);
  void add_end(rd_kafka_message_s* raw, std::string_view topic);
  void remove(FunctionRef<bool(std::string_view topic, Partition)> unwanted);
  void release();

  std::vector<Event> events_;
  std::vector<rd_kafka_message_s*> raw_;  // one an event
  size_t* outstanding_ = nullptr;         // the consumer's count of batches alive
};

}  // namespace searchsync::kafka
