#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"
#include "ingest/run/ingest_main.h"

namespace searchsync::cli {
namespace {

struct Options {
  RoleOptions role;
  std::string serve = "127.0.0.1:0";
};

}  // namespace

void add_ingest(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ingest", "Take events of one index over HTTP.");
  const auto options = std::make_shared<Options>();
  options->role.add(*command);
  command->add_option("--serve", options->serve, "HOST:PORT for events; port 0: any")
      ->capture_default_str();
  command->footer(
      "Example:\n"
      "  searchsync ingest --config ingest.json --secrets secrets/ --serve 0.0.0.0:8080\n"
      "\n"
      "`searchsync run` starts it by itself.");
  command->callback([&invocation, options] {
    invocation.role = "ingest";
    invocation.run = [options]() -> Result<ExitCode> {
      const Signals signals;
      RETURN_IF_ERROR(ingest::run_ingest({.config = options->role.config,
                                          .secrets = options->role.secrets,
                                          .listen = options->role.listen,
                                          .serve = options->serve,
                                          .address_file = options->role.address_file},
                                         signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
