#pragma once

#include <functional>
#include <string>

#include "lib/base/error.h"

namespace CLI {
class App;
}

namespace searchsync::cli {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2 };

// What the command line asks for.
struct Invocation {
  std::string log_level = "info";
  std::string role = "searchsync";        // for the log
  std::function<Result<ExitCode>()> run;  // set by the subcommand that was given
};

// Each adds one subcommand, whose callback sets `invocation.run`. Both references must outlive
// parsing and running.
void add_run(CLI::App& app, Invocation& invocation);
void add_operator(CLI::App& app, Invocation& invocation);
// The whole program under its name kubectl-searchsync, as kubectl finds its plugins.
int kubectl_plugin(int argc, char** argv);

void add_plan(CLI::App& app, Invocation& invocation);
void add_validate(CLI::App& app, Invocation& invocation);
void add_status(CLI::App& app, Invocation& invocation);
void add_dlq(CLI::App& app, Invocation& invocation);
void add_capture(CLI::App& app, Invocation& invocation);
void add_worker(CLI::App& app, Invocation& invocation);
void add_ingest(CLI::App& app, Invocation& invocation);
void add_aggregate(CLI::App& app, Invocation& invocation);
void add_query(CLI::App& app, Invocation& invocation);
void add_docs(CLI::App& app, Invocation& invocation);

}  // namespace searchsync::cli
