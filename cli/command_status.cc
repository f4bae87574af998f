#include <fmt/core.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"
#include "operator/control/run_main.h"
#include "operator/control/status_json.h"

namespace searchsync::cli {
namespace {

constexpr std::chrono::milliseconds kWatchEvery{1'000};
constexpr const char* kClearScreen = "\x1b[H\x1b[2J";

struct Options {
  FolderOptions folder;
  std::string output = "table";
  bool watch = false;
};

Result<std::string> status(const Options& options) {
  ASSIGN_OR_RETURN(const auto address, control::running_address(options.folder.state_path()));
  auto json = control::fetch_status(address);
  if (!json) return fail(json.error(), "`searchsync run` does not answer");
  if (options.output == "json") return *json;
  return control::render_status(*json);
}

Result<ExitCode> watch(const Options& options) {
  const Signals signals;
  const auto stop = signals.token();
  const bool table = options.output == "table" && ::isatty(STDOUT_FILENO) == 1;
  while (!stop.stop_requested()) {
    const auto text = status(options);
    fmt::print("{}{}", table ? kClearScreen : "", text ? *text : text.error().message + "\n");
    if (std::fflush(stdout) != 0) return kOk;  // nobody reads it any more
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, kWatchEvery, [] { return false; });
  }
  return kOk;
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "status", "How the indices, bindings and processes of a running folder stand.");
  const auto options = std::make_shared<Options>();
  options->folder.add_directory(*command);
  options->folder.add_state_dir(*command);
  command->add_option("-o,--output", options->output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->add_flag("-w,--watch", options->watch, "Again every second, until interrupted");
  command->footer(
      "Examples:\n"
      "  searchsync status my-index/ --watch\n"
      "  searchsync status my-index/ -o json | jq '.indices[].conditions'");
  command->callback([&invocation, options] {
    invocation.run = [options]() -> Result<ExitCode> {
      if (options->watch) return watch(*options);
      ASSIGN_OR_RETURN(const auto text, status(*options));
      fmt::print("{}", text);
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
