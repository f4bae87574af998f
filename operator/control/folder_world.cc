#include "operator/control/folder_world.h"

#include "operator/plan/workloads.h"

namespace searchsync::control {

FolderWorld::FolderWorld(FolderObserver& observer, Supervisor& supervisor)
    : observer_(observer), supervisor_(supervisor) {}

// The processes first: whether a snapshot is complete has to be read before everything else.
plan::Observed FolderWorld::observe() {
  std::vector<plan::ObservedWorkload> workloads;
  for (const auto& group : supervisor_.groups()) workloads.push_back(observe(group));
  plan::Observed observed = observer_.observe();
  observed.workloads = std::move(workloads);
  return observed;
}

plan::ObservedWorkload FolderWorld::observe(const Supervisor::Group& group) {
  const auto& workload = group.workload;
  plan::ObservedWorkload seen{.name = workload.name,
                              .role = workload.role,
                              .owner = workload.owner,
                              .hash = workload.hash,
                              .replicas = workload.replicas,
                              .processes = {},
                              .serves = "",
                              .halts = {},
                              .snapshot_complete = {},
                              .rows_per_second = {},
                              .lag_seconds = {}};
  double rows = 0;
  if (!group.processes.empty()) seen.serves = group.processes.front().serves;
  for (const auto& process : group.processes) {
    plan::ObservedProcess one{.name = process.name,
                              .pid = process.pid,
                              .address = process.address,
                              .state = plan::ProcessState::kStarting,
                              .message = process.ended};
    if (process.pid == 0) {
      one.state = plan::ProcessState::kBackoff;
    } else if (!process.address.empty()) {
      scraper_.ask(process.address, one, seen, rows);
    }
    seen.processes.push_back(std::move(one));
  }
  if (workload.role == plan::Role::kWorker) {
    seen.rows_per_second = scraper_.rate(workload.name, rows);
  }
  return seen;
}

Result<void> FolderWorld::execute(const plan::Step& step) {
  if (const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action)) {
    if (ensure->workload.role == plan::Role::kCapture) {
      RETURN_IF_ERROR(observer_.note_capture(ensure->workload));
    }
    return supervisor_.ensure(ensure->workload);
  }
  if (const auto* remove = std::get_if<plan::RemoveWorkload>(&step.action)) {
    return supervisor_.remove(remove->name);
  }
  if (const auto* create = std::get_if<plan::CreateIndex>(&step.action)) {
    // A worker's state from an index of this name that was deleted is not the new one's.
    const auto& recipe = create->recipe;
    RETURN_IF_ERROR(supervisor_.delete_state(
        plan::worker_name(recipe.index, recipe.generation_index, recipe.generation)));
  }
  return observer_.execute(step);
}

}  // namespace searchsync::control
