#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "query/export.h"
#include "query/run/door.h"
#include "query/run/engine.h"

namespace searchsync::query {

// GET  /v1/{index}/export?format=csv&…   all documents of a query, as NDJSON or CSV, as a stream
// POST /v1/{index}/export                {"filter", "sort", "fields", "limit", "format"}
//
// It is the index as it was at the beginning, from a point in time of the engine's. One page is in
// memory at a time, and no more than kExportsMax exports run at once: 503 too_many_exports. What
// goes wrong after the first page shows as a body that breaks off without its last chunk.
//
// Thread-safe.
class Exporter {
 public:
  static constexpr int kExportsMax = 8;

  Exporter(Door& door, Engine& engine, metrics::Registry& registry);

  void add_routes(http::Routes& server);

  // What else asks for an export. faults: those found before.
  http::Response answer(const Visit& visit, const Ask& ask, Faults faults);

  // Exports that run may go on for so long, then they break off. Before Server::stop(), which waits
  // for them.
  void stop(std::chrono::milliseconds grace);

 private:
  class Run;

  bool stopping() const;

  Door& door_;
  Engine& engine_;
  const metrics::Counter complete_;
  const metrics::Counter broken_;
  const metrics::Counter documents_;
  std::atomic<int> running_{0};
  std::atomic<int64_t> stop_at_{INT64_MAX};  // of Engine::Clock, in nanoseconds
};

}  // namespace searchsync::query
