#include "query/run/query_main.h"

#include "cli/commands.h"
#include "cli/folder_options.h"
#include "cli/signals.h"

namespace searchsync::cli {

void add_query(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("query", "Answer searches over one index.");
  const auto options = std::make_shared<RoleOptions>();
  options->add(*command);
  command->footer(
      "Example:\n"
      "  searchsync query --config query.json --secrets secrets/ --listen 0.0.0.0:9090\n"
      "\n"
      "`searchsync run` starts it by itself.");
  command->callback([&invocation, options] {
    invocation.role = "query";
    invocation.run = [options]() -> Result<ExitCode> {
      const Signals signals;
      RETURN_IF_ERROR(query::run_query({.config = options->config,
                                        .secrets = options->secrets,
                                        .listen = options->listen,
                                        .address_file = options->address_file},
                                       signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
