#pragma once

#include <string>
#include <vector>

#include "query/run/exporter.h"
#include "query/run/service.h"
#include "query/screeners.h"

namespace searchsync::query {

// GET  /v1/{index}/screeners                  [{"name", "description", "parameters"}]
// GET  /v1/{index}/screeners/{name}?team=…    a page of what it finds; also size= and cursor=
// POST /v1/{index}/screeners/{name}           {"parameters": {…}, "size", "cursor"}
// GET, POST …/{name}/count, …/{name}/export   the same, as of count and export
//
// A screener that does not fit the mappings is 422 screener_broken; the others are served.
// Thread-safe.
class ScreenerPaths {
 public:
  // All must outlive the server that the routes are added to, and so must this.
  ScreenerPaths(std::vector<Screener> screeners, Door& door, Service& service, Exporter& exporter);

  void add_routes(http::Routes& server);

 private:
  // One of the three things that can be done with a screener.
  struct Use {
    Names controls;  // of the URL
    Names members;   // of the body
    http::Response (*room)(ScreenerPaths&, const Visit&, const Ask&, Faults);
  };

  http::Response open(const Visit& visit, const Use& use);

  const std::vector<Screener> screeners_;
  std::vector<Faults> broken_;  // by place; constant after construction
  Door& door_;
  Service& service_;
  Exporter& exporter_;
};

}  // namespace searchsync::query
