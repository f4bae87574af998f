#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"
#include "operator/control/run_main.h"

namespace searchsync::cli {
namespace {

struct Options {
  FolderOptions folder;
  std::string listen = "127.0.0.1:0";
  std::string address_file;
};

}  // namespace

void add_run(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "run",
      "Keep what a folder declares, with child processes for capture, workers and queries.\n"
      "Edits are picked up within a second; an edit with a fault changes nothing that runs.");
  const auto options = std::make_shared<Options>();
  options->folder.add_directory(*command);
  options->folder.add_state_dir(*command);
  options->folder.add_secrets(*command);
  command
      ->add_option("--listen", options->listen,
                   "HOST:PORT for /status, /metrics, /healthz, /readyz; port 0: any")
      ->capture_default_str();
  command->add_option("--address-file", options->address_file,
                      "Where to write the address listened on, once it is");
  command->footer(
      "Examples:\n"
      "  searchsync run my-index/\n"
      "  searchsync run my-index/ --listen 127.0.0.1:8080 --state-dir /var/lib/searchsync\n"
      "\n"
      "Logs of the child processes: <state-dir>/logs/. It stops gracefully on SIGTERM and SIGINT,\n"
      "and goes on from where it was when started again.");
  command->callback([&invocation, options] {
    invocation.role = "run";
    invocation.run = [&invocation, options]() -> Result<ExitCode> {
      const Signals signals;
      RETURN_IF_ERROR(
          control::run_folder({.directory = std::filesystem::absolute(options->folder.directory),
                               .secrets = options->folder.secrets_path(),
                               .state_dir = options->folder.state_path(),
                               .listen = options->listen,
                               .address_file = options->address_file,
                               .log_level = invocation.log_level},
                              signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
