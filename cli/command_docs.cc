#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "lib/model/crd.h"
#include "lib/model/reference.h"

namespace searchsync::cli {
namespace {

Result<ExitCode> print_reference() {
  fmt::print("{}", model::render_reference());
  return kOk;
}

// One text, for `kubectl apply --server-side --filename=-`.
Result<ExitCode> print_crds() {
  std::string_view separator;
  for (const model::Crd& crd : model::render_crds()) {
    fmt::print("{}{}", separator, crd.text);
    separator = "---\n";
  }
  return kOk;
}

}  // namespace

void add_docs(CLI::App& app, Invocation& invocation) {
  auto* docs = app.add_subcommand("docs", "Print what is made from the schema of the resources");
  docs->group("");
  docs->require_subcommand(1);
  docs->add_subcommand("reference", "The reference of the resources, as Markdown")
      ->callback([&invocation] { invocation.run = print_reference; });
  docs->add_subcommand("crds", "The custom resource definitions, as YAML")->callback([&invocation] {
    invocation.run = print_crds;
  });
}

}  // namespace searchsync::cli
