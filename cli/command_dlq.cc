#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "cli/commands.h"
#include "cli/dlq_commands.h"
#include "cli/folder_options.h"
#include "lib/model/config_file.h"
#include "lib/model/fault.h"
#include "lib/model/load.h"
#include "lib/model/role_config.h"
#include "operator/control/folder_tables.h"
#include "operator/dlq/desk.h"
#include "operator/plan/observed.h"

namespace searchsync::cli {
namespace {

struct Options {
  FolderOptions folder;
  std::string index;
};

struct Subject {
  model::SearchIndex index;
  std::vector<model::SourceBinding> bindings;
};

bool is_called(const model::SearchIndex& index, const std::string& name) {
  return index.metadata.name == name || plan::object_key(index.metadata) == name;
}

// Of a worker's own configuration: what there is in its pod.
Result<Subject> from_config(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const auto json, model::read_config_file(path));
  auto config = model::parse_pipeline_config(json);
  if (!config) return fail(config.error(), path);
  if (is_called(config->index, name)) return Subject{config->index, config->bindings};
  return fail(ErrorCode::kNotFound,
              fmt::format("{} is of index {}, not {}", path, config->index.metadata.name, name));
}

Result<Subject> from_folder(const FolderOptions& folder, const std::string& name) {
  const std::string& path = folder.directory;
  auto loaded = model::load_directory(path);
  if (!loaded.faults.empty()) {
    fmt::print(stderr, "{}", model::to_string(loaded.faults));
    return fail(ErrorCode::kInvalidArgument, "the resources have faults: they are not used");
  }
  auto tables = control::remembered_tables(folder.state_path() / "tables");
  std::ranges::move(tables.indices, std::back_inserter(loaded.resources.indices));
  std::ranges::move(tables.bindings, std::back_inserter(loaded.resources.bindings));
  std::vector<const model::SearchIndex*> found;
  std::string names;
  for (const auto& index : loaded.resources.indices) {
    if (is_called(index, name)) found.push_back(&index);
    names += (names.empty() ? "" : ", ") + plan::object_key(index.metadata);
  }
  if (found.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{} declares no SearchIndex {}, but {}", path,
                                                  name, names.empty() ? "none at all" : names));
  }
  if (found.size() > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is ambiguous: choose one of {}", name, names));
  }
  return Subject{*found[0], plan::bindings_of(loaded.resources, *found[0])};
}

Result<std::unique_ptr<dlq::Desk>> open(const Options& options) {
  const auto& path = options.folder.directory;
  ASSIGN_OR_RETURN(auto subject, path.ends_with(".json")
                                     ? from_config(path, options.index)
                                     : from_folder(options.folder, options.index));
  const model::FolderSecrets secrets(options.folder.secrets_path());
  return dlq::Desk::open(std::move(subject.index), std::move(subject.bindings), secrets);
}

}  // namespace

void add_dlq(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("dlq",
                                     "Dead letters: what could not be used, and is kept with its "
                                     "reason. See them, try them again\n"
                                     "when the cause is mended, or leave them out.");
  const auto options = std::make_shared<Options>();
  add_dlq_commands(
      *command,
      {.called = "searchsync dlq",
       .subject = "my-index/ test-runs",
       .add_subject =
           [options](CLI::App& one) {
             one.add_option("DIR", options->folder.directory,
                            "Folder of YAML files, or the .json that a worker runs with")
                 ->required();
             one.add_option("INDEX", options->index, "The SearchIndex, by name")->required();
             options->folder.add_state_dir(one);
             options->folder.add_secrets(one);
           },
       .open = [options] { return open(*options); },
       .chosen =
           [&invocation](auto act) {
             // What Kafka's client has to say on the way is for those who ask.
             if (invocation.log_level == "info") invocation.log_level = "error";
             invocation.run = [act]() -> Result<ExitCode> {
               ASSIGN_OR_RETURN(const auto said, act());
               fmt::print("{}", said.text);
               return said.whole ? kOk : kFailed;
             };
           }});
  command->footer(
      "Examples:\n"
      "  searchsync dlq list my-index/ test-runs\n"
      "  searchsync dlq show my-index/ test-runs 0/17\n"
      "  searchsync dlq replay my-index/ test-runs --binding run-bug\n"
      "  searchsync dlq drop my-index/ test-runs --all\n"
      "\n"
      "Kafka is asked directly; `searchsync run` need not run. More: docs/dead-letters.md.");
}

}  // namespace searchsync::cli
