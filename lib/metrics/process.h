#pragma once

#include <optional>

namespace searchsync::metrics {

// What the kernel says of this process.
struct ProcessUsage {
  double cpu_seconds = 0;  // user and system
  double resident_bytes = 0;
  double threads = 0;
  double open_fds = 0;
  double start_time_seconds = 0;  // since 1970, UTC
};

// Reads /proc; nullopt where there is none. Source: proc(5).
std::optional<ProcessUsage> read_process_usage();

}  // namespace searchsync::metrics
