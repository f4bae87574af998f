#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "lib/base/error.h"

namespace searchsync::control {

struct RunOptions {
  std::filesystem::path directory;  // of resources
  std::filesystem::path secrets;
  std::filesystem::path state_dir;
  std::string listen = "127.0.0.1:0";
  std::filesystem::path address_file;  // empty: none
  std::string log_level = "info";      // of the children
};

// Keeps what the folder declares, with child processes, until asked to stop. Serves /status,
// /metrics, /healthz and /readyz, and leaves its address in <state_dir>/run.json while it runs.
// Call from the thread that lives longest: the children die with it.
//
// Errors: kConflict if another process runs with the same state_dir; the address cannot be had.
Result<void> run_folder(const RunOptions& options, std::stop_token stop);

// The address in <state_dir>/run.json. kNotFound if nothing runs there.
Result<std::string> running_address(const std::filesystem::path& state_dir);

// GET http://<address>/status.
Result<std::string> fetch_status(const std::string& address);

}  // namespace searchsync::control
