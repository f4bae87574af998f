#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::query {

struct QueryOptions {
  std::filesystem::path config;        // the role config: JSON, written by the planner
  std::filesystem::path secrets;       // DIR/<secret>/<key>; empty: only the environment
  std::string listen = "127.0.0.1:0";  // queries, /metrics, /healthz and /readyz
  std::filesystem::path address_file;  // empty: none
};

// Serves searches over one SearchIndex until asked to stop. Holds no state: run as many as you
// like.
Result<void> run_query(const QueryOptions& options, std::stop_token stop);

}  // namespace searchsync::query
