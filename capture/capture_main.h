#pragma once

#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::capture {

struct CaptureOptions {
  std::string config;   // a file: model::CaptureConfig as JSON
  std::string secrets;  // a folder; empty: the environment only
  std::string listen = "127.0.0.1:0";
  std::string address_file;  // empty: none
};

// Captures the tables of one database into their topics until asked to stop. Waits, and says so in
// /readyz, while PostgreSQL or Kafka is away.
//
// Errors: what a person has to mend before the first record: the config, a secret, prerequisites in
// the database (all of them in one message), a topic. Once records flowed, only a stop ends it.
Result<void> run_capture(const CaptureOptions& options, std::stop_token stop);

}  // namespace searchsync::capture
