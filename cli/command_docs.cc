#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "lib/model/reference.h"

namespace searchsync::cli {

void add_docs(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("docs", "Print the reference of the resources, as Markdown");
  command->group("");
  command->callback([&invocation] {
    invocation.run = []() -> Result<ExitCode> {
      fmt::print("{}", model::render_reference());
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
