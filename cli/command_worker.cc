#include "worker/run/worker_main.h"

#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"

namespace searchsync::cli {

void add_worker(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "worker", "Keep one generation of one index equal to the join of its sources.");
  const auto options = std::make_shared<RoleOptions>();
  const auto state_dir = std::make_shared<std::string>();
  options->add(*command);
  command->add_option("--state-dir", *state_dir, "Folder of this worker's own, for its state")
      ->required();
  command->footer(
      "Example:\n"
      "  searchsync worker --config worker.json --state-dir state/ --secrets secrets/\n"
      "\n"
      "`searchsync run` starts it by itself.");
  command->callback([&invocation, options, state_dir] {
    invocation.role = "worker";
    invocation.run = [options, state_dir]() -> Result<ExitCode> {
      const Signals signals;
      RETURN_IF_ERROR(worker::run_worker({.config = options->config,
                                          .secrets = options->secrets,
                                          .state_dir = *state_dir,
                                          .listen = options->listen,
                                          .address_file = options->address_file},
                                         signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
