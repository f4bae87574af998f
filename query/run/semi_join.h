#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "lib/http/server.h"
#include "query/related.h"
#include "query/run/engine.h"

namespace searchsync::query {

// Asks the other indices; see related.h. Returns the query that stands for each, in their order, or
// the answer to the caller: 422 too_many_related, or the engine's trouble.
std::expected<std::vector<std::string>, http::Response> ask_related(
    std::span<const RelatedQuery> related, int64_t keys_max, Engine& engine,
    Engine::Clock::time_point deadline);

}  // namespace searchsync::query
