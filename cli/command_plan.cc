#include <fmt/core.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/folder_options.h"
#include "lib/model/fault.h"
#include "operator/control/folder_observer.h"
#include "operator/control/run_main.h"
#include "operator/control/status_json.h"

namespace searchsync::cli {
namespace {

struct Options {
  FolderOptions folder;
  bool offline = false;
};

// "+" is made, "-" goes, "~" changes.
struct Sign {
  char operator()(const plan::CreateTopic&) const { return '+'; }
  char operator()(const plan::CreateIndex&) const { return '+'; }
  char operator()(const plan::CreatePartitions&) const { return '+'; }
  char operator()(const plan::EnsureWorkload&) const { return '+'; }
  char operator()(const plan::DeleteTopic&) const { return '-'; }
  char operator()(const plan::DeleteGroup&) const { return '-'; }
  char operator()(const plan::DeleteIndex&) const { return '-'; }
  char operator()(const plan::DropPartitions&) const { return '-'; }
  char operator()(const plan::RemoveWorkload&) const { return '-'; }
  char operator()(const plan::DropSlot&) const { return '-'; }
  char operator()(const plan::UpdateNotes&) const { return '~'; }
  char operator()(const plan::ForgetNotes&) const { return '~'; }
  char operator()(const plan::UpdateSettings&) const { return '~'; }
  char operator()(const plan::SetPartitions&) const { return '~'; }
  char operator()(const plan::ShowPartitions&) const { return '~'; }
  char operator()(const plan::WriteMeta&) const { return '~'; }
  char operator()(const plan::PutWriteAlias&) const { return '~'; }
  char operator()(const plan::AddFields&) const { return '~'; }
  char operator()(const plan::SendLead&) const { return '~'; }
  char operator()(const plan::SendBegin&) const { return '~'; }
  char operator()(const plan::SwapAlias&) const { return '~'; }
};

void print_step(const plan::Step& step) {
  if (!plan::changes_world(step.action)) return;
  fmt::print("  {} {}\n      {}\n", std::visit(Sign{}, step.action), describe(step.action),
             step.reason);
}

// Whether some index could not be looked at.
bool unreachable(const plan::Plan& plan) {
  return std::ranges::any_of(plan.indices, [](const auto& status) {
    return std::ranges::any_of(status.conditions, [](const auto& condition) {
      return condition.type == "Ready" && condition.status == plan::ConditionStatus::kUnknown;
    });
  });
}

void print(const plan::Plan& plan) {
  bool any = false;
  for (const auto& step : plan.steps) any = any || plan::changes_world(step.action);
  for (const auto& status : plan.indices) {
    fmt::print("SearchIndex {}: {}\n", status.index, to_string(status.phase));
    if (status.alias && *status.alias != status.desired) {
      fmt::print("  serves {}, declared is {}\n", status.alias->get(), status.desired.get());
    }
    if (!status.message.empty()) fmt::print("  {}\n", status.message);
    for (const auto& step : plan.steps) {
      if (step.owner == status.index) print_step(step);
    }
  }
  for (const auto& step : plan.steps) {
    if (!step.owner.contains('/')) print_step(step);  // of captures
  }
  if (!any) fmt::print("{}\n", unreachable(plan) ? "Nothing can be planned." : "Nothing to do.");
}

Result<ExitCode> run(const Options& options) {
  control::FolderObserver observer({.directory = options.folder.directory,
                                    .secrets = options.folder.secrets_path(),
                                    .state_dir = options.folder.state_path()});
  observer.resources().look();
  const auto& faults = observer.resources().faults();
  if (!faults.empty()) {
    fmt::print(stderr, "{}", model::to_string(faults));
    return fail(ErrorCode::kInvalidArgument, "the resources have faults: nothing can be planned");
  }
  plan::Observed observed;
  if (options.offline) {
    observed.resources_known = true;
    observed.resources = observer.resources().resources();
    for (const auto& index : observed.resources.indices) {
      observed.indices[plan::object_key(index.metadata)];
    }
    fmt::print("Of an empty world (--offline); sources are not looked at.\n");
  } else {
    observer.settle();
    // What a running `run` has started, if there is one, before everything else.
    if (const auto address = control::running_address(options.folder.state_path())) {
      if (const auto status = control::fetch_status(*address)) {
        ASSIGN_OR_RETURN(auto workloads, control::workloads_from_status(*status));
        observed = observer.observe();
        observed.workloads = std::move(workloads);
      }
    }
    if (!observed.resources_known) observed = observer.observe();
  }
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto plan = plan::plan(observed, {}, now);
  print(plan);
  return unreachable(plan) ? kFailed : kOk;
}

}  // namespace

void add_plan(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "plan", "Print what `run` would do next: made, changed, rebuilt, and why. Touches nothing.");
  const auto options = std::make_shared<Options>();
  options->folder.add_directory(*command);
  options->folder.add_state_dir(*command);
  options->folder.add_secrets(*command);
  command->add_flag("--offline", options->offline,
                    "Look at the resources only: what they need from nothing");
  command->footer(
      "Examples:\n"
      "  searchsync plan my-index/\n"
      "  searchsync plan my-index/ --offline      in a pull request, without credentials\n"
      "\n"
      "Later steps depend on what is seen then: a rebuild shows as its first step.");
  command->callback(
      [&invocation, options] { invocation.run = [options] { return run(*options); }; });
}

}  // namespace searchsync::cli
