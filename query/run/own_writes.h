#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib/positions/position.h"

namespace searchsync::query {

// Waits until what commands wrote can be found. Thread-safe.
class OwnWrites {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~OwnWrites() = default;

  // The index to ask once it is there: a generation, by its own name.
  virtual const std::string& index() const = 0;

  struct Waited {
    bool written = false;
    bool refused = false;      // too many wait already
    std::string missing = "";  // what it did not wait long enough for
  };
  virtual Waited wait(const std::vector<positions::Token>& tokens, Clock::time_point until) = 0;
};

}  // namespace searchsync::query
