#pragma once

#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::aggregate {

struct AggregateOptions {
  std::string config;   // a file: model::AggregateConfig
  std::string secrets;  // a folder; empty: environment variables
  std::string state_dir;
  // This process among those of the same index: none that runs beside it has the same name, and it
  // keeps it when it is started again.
  std::string instance;
  std::string listen;
  std::string address_file;  // empty: none
};

// `searchsync aggregate`, until asked to stop.
Result<void> run_aggregate(const AggregateOptions& options, std::stop_token stop);

}  // namespace searchsync::aggregate
