#include <unistd.h>

#include <array>

#include "aggregate/run/aggregate_main.h"
#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"

namespace searchsync::cli {
namespace {

// Of a StatefulSet's pods each keeps its own.
std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

struct Options {
  RoleOptions role;
  std::string state_dir;
  std::string instance = host_name();
};

}  // namespace

void add_aggregate(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("aggregate", "Make rows of groups of events, for one index.");
  const auto options = std::make_shared<Options>();
  options->role.add(*command);
  command->add_option("--state-dir", options->state_dir, "Folder of this process's own")
      ->required();
  command
      ->add_option("--instance", options->instance,
                   "This process's name among those of the same index")
      ->capture_default_str();
  command->footer(
      "Example:\n"
      "  searchsync aggregate --config aggregate.json --state-dir state/ --secrets secrets/\n"
      "\n"
      "`searchsync run` starts it by itself.");
  command->callback([&invocation, options] {
    invocation.role = "aggregate";
    invocation.run = [options]() -> Result<ExitCode> {
      const Signals signals;
      RETURN_IF_ERROR(aggregate::run_aggregate({.config = options->role.config,
                                                .secrets = options->role.secrets,
                                                .state_dir = options->state_dir,
                                                .instance = options->instance,
                                                .listen = options->role.listen,
                                                .address_file = options->role.address_file},
                                               signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
