#pragma once

#include "query/run/freshness_source.h"

namespace searchsync::query {

// For tests: says always the same.
class FakeFreshness final : public FreshnessSource {
 public:
  std::string json() override { return R"({"at":"2026-01-01T00:00:00Z","unknown":"a fake"})"; }
};

}  // namespace searchsync::query
