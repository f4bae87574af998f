// The one executable: reads the command line, and hands over to the role that it names.

#include <fmt/core.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/signals.h"
#include "lib/base/log.h"

namespace searchsync::cli {
namespace {

constexpr const char* kAbout =
    "Search indices that always equal a join over many databases and event streams, declared with\n"
    "two resources, SearchIndex and SourceBinding, in a folder of YAML files.";

constexpr const char* kExamples =
    "A first index:\n"
    "  searchsync validate my-index/     are the resources right?\n"
    "  searchsync plan my-index/         what would be done\n"
    "  searchsync run my-index/          do it, and keep it so; Ctrl-C stops\n"
    "  searchsync status my-index/       how it stands, from another terminal\n"
    "  searchsync dlq list my-index/ X   what index X could not use, and why\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.";

// A first load fills buffers of many sizes on many threads. With an arena for each thread, and a
// threshold that grows, glibc keeps most of it afterwards: 190 MB in a worker that needs 60.
void give_memory_back() {
  constexpr int kThreshold = 128 << 10;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, kThreshold);
  mallopt(M_MMAP_THRESHOLD, kThreshold);
}

int main_of(int argc, char** argv) {
  give_memory_back();
  const auto called = std::filesystem::path(argv[0]).filename();
  if (called == "kubectl-searchsync") return kubectl_plugin(argc, argv);
  Invocation invocation;
  CLI::App app(kAbout, "searchsync");
  app.footer(kExamples);
  app.require_subcommand(1);
  app.set_version_flag("--version", "searchsync " SEARCHSYNC_VERSION);
  app.add_option("--log-level", invocation.log_level, "debug, info, warning, error or off")
      ->capture_default_str();
  pid_t parent = 0;
  app.add_option("--die-with-parent", parent)->group("");
  add_run(app, invocation);
  add_plan(app, invocation);
  add_validate(app, invocation);
  add_status(app, invocation);
  add_dlq(app, invocation);
  add_operator(app, invocation);
  add_capture(app, invocation);
  add_worker(app, invocation);
  add_aggregate(app, invocation);
  add_query(app, invocation);
  add_ingest(app, invocation);
  add_docs(app, invocation);
  app.get_formatter()->column_width(34);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (parent != 0 && !die_with_parent(parent)) return kFailed;
  if (const auto configured = log::configure(invocation.log_level, invocation.role); !configured) {
    fmt::print(stderr, "searchsync: {}\n", configured.error().message);
    return kUsage;
  }
  const auto result = invocation.run();
  if (result) return *result;
  fmt::print(stderr, "searchsync: {}\n", result.error().message);
  return kFailed;
}

}  // namespace
}  // namespace searchsync::cli

int main(int argc, char** argv) {
  return searchsync::cli::main_of(argc, argv);
}
