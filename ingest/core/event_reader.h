#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ingest/core/batch.h"
#include "ingest/core/faults.h"
#include "ingest/core/schema.h"
#include "lib/base/time_text.h"

namespace searchsync::ingest {

enum class BodyForm {
  kJson,    // an object, or an array of objects; nothing at all is an event without fields
  kNdjson,  // an object a line; empty lines mean nothing
};

enum class OnError { kReject, kAccept };

// A column that the path gives to every event.
struct PathValue {
  std::string_view column;
  std::string_view text;
};

struct EventRequest {
  std::string_view body;
  BodyForm form = BodyForm::kJson;
  OnError on_error = OnError::kReject;  // with kReject, reading may end once there are many faults
  std::span<const PathValue> path;
  WallTime now;
  uint64_t seed = 0;  // both random
  uint64_t other_seed = 0;
};

struct Events {
  Batch batch;    // those without faults; means nothing with kReject and a fault
  Faults faults;  // one of the path concerns all events, and is told as the first one's
};

// What is wrong with a body as such: nothing of it is taken.
enum class BodyFault {
  kMalformed,      // no JSON
  kTooManyEvents,  // more than limits.events_max, or than kBatchBytesMax
};

struct BodyProblem {
  BodyFault fault = BodyFault::kMalformed;
  std::string message;
};

// Reads the events of a request, checks each against the schema, and writes it as a row: a JSON
// object with all columns, in their order; null where the event has none. Keeps buffers between
// calls, as large as the largest body; not thread-safe.
class EventReader {
 public:
  EventReader();
  ~EventReader();
  EventReader(EventReader&&) noexcept;

  std::expected<Events, BodyProblem> read(const EventSchema& schema, const EventRequest& request);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace searchsync::ingest
