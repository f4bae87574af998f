#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/folder_options.h"
#include "lib/model/load.h"
#include "query/check.h"

namespace searchsync::cli {

void add_validate(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "validate", "Check a folder of resources and print every fault. Touches nothing.");
  const auto options = std::make_shared<FolderOptions>();
  options->add_directory(*command);
  command->footer(
      "Examples:\n"
      "  searchsync validate my-index/\n"
      "\n"
      "Prints file:line:column: object: path: what is wrong and what to do. Exit code 1 if there\n"
      "is any fault.");
  command->callback([&invocation, options] {
    invocation.run = [options]() -> Result<ExitCode> {
      auto loaded = model::load_directory(options->directory);
      if (loaded.faults.empty()) {
        loaded.faults = query::check_queries(loaded.resources, loaded.origins);
      }
      for (const auto& fault : loaded.faults) fmt::print("{}\n", model::to_string(fault));
      if (!loaded.faults.empty()) return kFailed;
      fmt::print("{} SearchIndex, {} SourceBinding: no faults\n", loaded.resources.indices.size(),
                 loaded.resources.bindings.size());
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
