#pragma once

#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::worker {

struct WorkerOptions {
  std::string config;     // a file: model::PipelineConfig as JSON
  std::string secrets;    // a folder; empty: the environment only
  std::string state_dir;  // a folder of this worker's own, kept between runs if possible
  std::string listen = "127.0.0.1:0";
  std::string address_file;  // empty: none
};

// Runs one worker of one generation until asked to stop. Waits, and says so in /readyz, while Kafka
// or the search engine is away.
//
// Errors: what a person has to mend before anything can run: the config, a secret, the state
// folder.
Result<void> run_worker(const WorkerOptions& options, std::stop_token stop);

}  // namespace searchsync::worker
