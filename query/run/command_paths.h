#pragma once

#include <vector>

#include "lib/http/server.h"
#include "lib/model/resources.h"
#include "query/run/command_pool.h"
#include "query/run/door.h"

namespace searchsync::query {

// POST /rpc/{function}   {"argument": value, …}
//
// 200 and what the function returned as JSON, or 204; with a token as the header SearchSync-Token.
// Errors: 400 invalid_request with every fault; 404 unknown_function; what the database says, as
// status_of() has it, command_failed; 413 too_many_rows; 503 commands_busy, commands_unavailable
// with Retry-After; 503 outcome_unknown; 429 rate_limited with Retry-After. Thread-safe.
class CommandPaths {
 public:
  // All must outlive the server that the routes are added to, and so must this.
  CommandPaths(const model::CommandsSpec& spec, CommandPool& pool, Door& door);

  void add_routes(http::Routes& routes);

 private:
  http::Response call(const Visit& visit);

  const std::vector<model::CommandSpec> commands_;
  const std::optional<model::RateLimitSpec> rate_limit_;
  CommandPool& pool_;
  Door& door_;
};

}  // namespace searchsync::query
