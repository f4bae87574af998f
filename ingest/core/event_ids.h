#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "lib/base/time_text.h"

namespace searchsync::ingest {

// Ids for events that come without: UUIDs of version 7, which sort by the time of arrival. Those of
// one object are told apart by a counter, those of several by their seeds, which must be random.
// Not thread-safe. Source: RFC 9562, section 5.7.
class EventIds {
 public:
  EventIds(WallTime now, uint64_t seed, uint64_t other_seed);

  // Appends "01934c1e-7d3a-7b2f-8a4e-0123456789ab".
  void append_next(std::string& out);

 private:
  const uint64_t milliseconds_;
  uint64_t state_;
  const uint64_t salt_;
};

}  // namespace searchsync::ingest
