#pragma once

// An event as it stands in its topic, read as far as an aggregate needs it, and judged before it
// changes anything.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregate/core/definition.h"
#include "aggregate/core/number.h"
#include "lib/base/error.h"
#include "lib/base/named.h"

namespace searchsync::aggregate {

// A record of the event topic, as Kafka gave it; the views are valid during the call.
struct EventRecord {
  Offset offset;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int64_t timestamp_ms = 0;  // when it arrived, milliseconds since 1970
};

// A scalar of JSON: the content of a string, or the token of anything else.
struct Scalar {
  enum class Kind : uint8_t { kNone, kText, kNumber, kBoolean };  // kNone: null, or absent
  Kind kind = Kind::kNone;
  std::string_view text;
};

// What a column takes of an event.
struct Taken {
  bool taken = false;   // its conditions hold, and there is a value
  Scalar value;         // all but kCount
  Number number;        // kSum
  int64_t time_us = 0;  // with `by`, microseconds since 1970
};

struct Event {
  std::string_view group;        // the text of its key, see worker::key_text()
  uint32_t text_keys = 0;        // a bit for each column of the key that is a text
  std::string_view id;           // if Definition::event_id
  std::span<const Taken> taken;  // by Definition::columns
};

// Longest value that a column keeps.
inline constexpr size_t kValueBytesMax = 8192;

class EventReader {
 public:
  // partitions: of the event topic.
  EventReader(const Definition& definition, Partition partition, int32_t partitions);
  ~EventReader();

  // The event is valid until the next call. Errors: kMalformed, and nothing of it may be taken: it
  // is no JSON object, a value is not what the aggregate needs, or the record is not where the
  // events of its group are.
  Result<Event> read(const EventRecord& record);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::aggregate
