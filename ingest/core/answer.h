#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ingest/core/batch.h"
#include "ingest/core/faults.h"

namespace searchsync::ingest {

// Where Kafka keeps an event.
struct Receipt {
  bool acknowledged = false;
  int32_t partition = 0;
  int64_t offset = 0;
};

enum class ReceiptsAsked { kAll, kNone };

// All JSON. receipts[i] is of batch.records[i].

// The body of 202: {"accepted": 2, "receipts": [{"index", "eventId", "partition", "offset"}],
// "rejected": [{"index", "faults": [{"field", "reason"}]}]}. Every event with a fault is among
// "rejected", which is left out if there is none; the faults that Faults does not hold are not.
std::string render_accepted(const Batch& batch, std::span<const Receipt> receipts,
                            const Faults& faults, ReceiptsAsked asked);

// The body of 400: {"error": {"code", "message", "faults": [{"index", "field", "reason"}]}}.
std::string render_faults(const Faults& faults);

// The body where Kafka has not acknowledged all events: an error as above, and "receipts" of those
// that it has, so that the others can be sent again.
std::string render_unacknowledged(std::string_view code, std::string_view message,
                                  const Batch& batch, std::span<const Receipt> receipts);

}  // namespace searchsync::ingest
