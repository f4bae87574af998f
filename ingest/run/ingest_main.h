#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::ingest {

struct IngestOptions {
  std::filesystem::path config;        // the role config: JSON, written by the planner
  std::filesystem::path secrets;       // DIR/<secret>/<key>; empty: only the environment
  std::string listen = "127.0.0.1:0";  // /metrics, /healthz and /readyz
  std::string serve = "127.0.0.1:0";   // events
  std::filesystem::path address_file;  // both, a line each; empty: none
};

// Takes the events of one SearchIndex until asked to stop; then lets the requests that run finish.
// Holds no state: run as many as you like.
Result<void> run_ingest(const IngestOptions& options, std::stop_token stop);

}  // namespace searchsync::ingest
