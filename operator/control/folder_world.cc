#include "operator/control/folder_world.h"

#include <set>

#include "lib/http/client.h"
#include "operator/control/samples.h"
#include "operator/plan/workloads.h"

namespace searchsync::control {
namespace {

constexpr std::chrono::milliseconds kScrapeTimeout{2'000};

}  // namespace

FolderWorld::FolderWorld(FolderObserver& observer, Supervisor& supervisor)
    : observer_(observer), supervisor_(supervisor) {}

FolderWorld::~FolderWorld() = default;

// The processes first: whether a snapshot is complete has to be read before everything else.
plan::Observed FolderWorld::observe() {
  std::vector<plan::ObservedWorkload> workloads;
  std::set<std::string> addresses;
  for (const auto& group : supervisor_.groups()) {
    workloads.push_back(observe(group));
    for (const auto& process : group.processes) addresses.insert(process.address);
  }
  std::erase_if(clients_, [&](const auto& entry) { return !addresses.contains(entry.first); });
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
                              .processes = {},
                              .dead_letters = {},
                              .halts = {},
                              .snapshot_complete = {},
                              .rows_per_second = {},
                              .lag_seconds = {}};
  double rows = 0;
  for (const auto& process : group.processes) {
    plan::ObservedProcess one{.name = process.name,
                              .pid = process.pid,
                              .address = process.address,
                              .state = plan::ProcessState::kStarting,
                              .message = process.ended};
    if (process.pid == 0) {
      one.state = plan::ProcessState::kBackoff;
    } else if (!process.address.empty()) {
      scrape(process, one, seen, rows);
    }
    seen.processes.push_back(std::move(one));
  }
  if (workload.role != plan::Role::kWorker) return seen;
  auto& rate = rates_[workload.name];
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - rate.at).count();
  if (seconds >= 1) {
    // A counter that went down began anew with its process.
    const double more = rows >= rate.rows ? rows - rate.rows : rows;
    rate = {.at = now, .rows = rows, .per_second = more / seconds};
  }
  seen.rows_per_second = rate.per_second;
  return seen;
}

void FolderWorld::scrape(const Supervisor::Process& process, plan::ObservedProcess& seen,
                         plan::ObservedWorkload& workload, double& rows) {
  auto* const http = client(process.address);
  if (http == nullptr) return;
  seen.state = plan::ProcessState::kRunning;
  const auto ready =
      http->request({.path = "/readyz", .headers = {}, .body = "", .timeout = kScrapeTimeout});
  if (!ready) {
    seen.message = ready.error().message;
    return;
  }
  if (ready->status == 200) {
    seen.state = plan::ProcessState::kReady;
    seen.message.clear();
  } else {
    seen.message = ready->body.substr(0, ready->body.find_last_not_of('\n') + 1);
  }
  const auto metrics =
      http->request({.path = "/metrics", .headers = {}, .body = "", .timeout = kScrapeTimeout});
  if (metrics && metrics->status == 200) {
    add_samples(parse_samples(metrics->body), seen.message, workload, rows);
  }
}

http::Client* FolderWorld::client(const std::string& address) {
  auto& place = clients_[address];
  if (place == nullptr) {
    auto made = http::Client::create({.base_urls = {"http://" + address},
                                      .connect_timeout = kScrapeTimeout,
                                      .failed_url_pause = std::chrono::milliseconds(0)});
    if (!made) return nullptr;
    place = std::move(*made);
  }
  return place.get();
}

Result<void> FolderWorld::execute(const plan::Step& step) {
  if (const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action)) {
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
