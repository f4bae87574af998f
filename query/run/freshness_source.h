#pragma once

#include <string>

namespace searchsync::query {

// Says how far the documents are behind, as JSON: see freshness.h. Thread-safe.
class FreshnessSource {
 public:
  virtual ~FreshnessSource() = default;
  virtual std::string json() = 0;
};

}  // namespace searchsync::query
