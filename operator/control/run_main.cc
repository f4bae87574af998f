#include "operator/control/run_main.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/http/client.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "operator/control/folder_world.h"
#include "operator/control/index_metrics.h"
#include "operator/control/reconciler.h"
#include "operator/control/status_json.h"

namespace searchsync::control {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLookAtFolderEvery{500};

// Held as long as the process lives.
class Lock {
 public:
  static Result<Lock> take(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return fail(ErrorCode::kUnavailable, path.string() + " cannot be opened");
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      ::close(file);
      return fail(ErrorCode::kConflict,
                  path.string() + " is held: `searchsync run` runs here already");
    }
    return Lock(file);
  }
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

// Names that controller-runtime made a convention, and ours.
class RunMetrics {
 public:
  explicit RunMetrics(metrics::Registry& registry)
      : registry_(registry),
        seconds_(registry.histogram("controller_runtime_reconcile_time_seconds",
                                    "Length of a round: observe, plan, execute.",
                                    metrics::latency_buckets_seconds(), labels({}))),
        errors_(registry.counter("controller_runtime_reconcile_errors_total",
                                 "Rounds in which a step failed.", labels({}))),
        indices_(registry) {}

  void add(const Reconciler::Round& round, std::chrono::duration<double> time, size_t faults) {
    seconds_.observe(time.count());
    const bool failed = !round.failures.empty();
    if (failed) errors_.add();
    registry_
        .counter("controller_runtime_reconcile_total", "Rounds, by result.",
                 labels({{"result", failed ? "error" : "success"}}))
        .add();
    registry_.gauge("searchsync_resource_faults", "Faults in the declared resources.")
        .set(static_cast<double>(faults));
    for (const auto& status : round.plan.indices) indices_.set(status);
  }

 private:
  static metrics::Labels labels(metrics::Labels more) {
    metrics::Labels all = {{"controller", "searchindex"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  metrics::Registry& registry_;
  metrics::Histogram seconds_;
  metrics::Counter errors_;
  IndexMetrics indices_;
};

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        observer_({.directory = options.directory,
                   .secrets = options.secrets,
                   .state_dir = options.state_dir}),
        supervisor_({.state_dir = options.state_dir,
                     .secrets = options.secrets,
                     .public_host = options.listen.substr(0, options.listen.rfind(':')),
                     .log_level = options.log_level}),
        world_(observer_, supervisor_),
        reconciler_(world_, {}),
        metrics_(registry_),
        server_({.listen = options.listen}) {}

  Result<void> run(const std::stop_token& stop) {
    RETURN_IF_ERROR(serve());
    auto next = Clock::now();
    while (!stop.stop_requested()) {
      supervisor_.tick();
      const bool changed = observer_.resources().look();
      if (changed || Clock::now() >= next) next = Clock::now() + round();
      wait(stop);
    }
    log::info("stopping");
    health_.not_ready("run", "it is stopping");
    supervisor_.stop_all();
    server_.stop();
    std::error_code ignored;
    std::filesystem::remove(options_.state_dir / "run.json", ignored);
    return {};
  }

 private:
  Result<void> serve() {
    health_.not_ready("run", "no round is finished yet");
    set_status(status_to_json({}, {}, {}));
    http::add_operations_routes(server_, registry_, health_);
    server_.route(http::Method::kGet, "/status", [this](const http::Request&) {
      const std::lock_guard lock(mutex_);
      return http::Response{.body = status_};
    });
    RETURN_IF_ERROR(server_.start());
    const auto address = server_.address();
    if (!options_.address_file.empty()) {
      RETURN_IF_ERROR(http::write_address_file(options_.address_file.string(), address));
    }
    const nlohmann::json self = {{"address", address}, {"pid", ::getpid()}};
    RETURN_IF_ERROR(write_file(options_.state_dir / "run.json", self.dump() + "\n"));
    log::info("{}: status at http://{}/status", options_.directory.string(), address);
    return {};
  }

  std::chrono::milliseconds round() {
    const auto started = Clock::now();
    const auto now = std::chrono::system_clock::now();
    const auto round = reconciler_.run(std::chrono::floor<std::chrono::milliseconds>(now));
    const auto& faults = observer_.resources().faults();
    metrics_.add(round, Clock::now() - started, faults.size());
    set_status(status_to_json(round.observed, round.plan, faults));
    health_.ready("run");
    return round.look_again;
  }

  void set_status(std::string status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }

  static void wait(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, kLookAtFolderEvery, [] { return false; });
  }

  const RunOptions options_;
  FolderObserver observer_;
  Supervisor supervisor_;
  FolderWorld world_;
  Reconciler reconciler_;
  metrics::Registry registry_;
  RunMetrics metrics_;
  http::Health health_;

  std::mutex mutex_;
  std::string status_;  // guarded by mutex_

  http::Server server_;  // last: its threads use what is above
};

}  // namespace

Result<void> run_folder(const RunOptions& options, std::stop_token stop) {
  std::error_code error;
  std::filesystem::create_directories(options.state_dir, error);
  if (error) {
    return fail(ErrorCode::kUnavailable, options.state_dir.string() + ": " + error.message());
  }
  ASSIGN_OR_RETURN(const Lock lock, Lock::take(options.state_dir / "run.lock"));
  return Run(options).run(stop);
}

Result<std::string> running_address(const std::filesystem::path& state_dir) {
  const auto missing = [&] {
    return fail(ErrorCode::kNotFound,
                fmt::format("nothing runs with the state folder {}: start it with `searchsync run`",
                            state_dir.string()));
  };
  const auto text = read_file(state_dir / "run.json");
  if (!text) return missing();
  const auto self = nlohmann::json::parse(*text, nullptr, false);
  if (!self.is_object() || !self.contains("address")) return missing();
  return self.at("address").get<std::string>();
}

Result<std::string> fetch_status(const std::string& address) {
  ASSIGN_OR_RETURN(const auto client, http::Client::create({.base_urls = {"http://" + address}}));
  ASSIGN_OR_RETURN(const auto response,
                   client->request({.path = "/status",
                                    .headers = {},
                                    .body = "",
                                    .timeout = std::chrono::milliseconds(5'000)}));
  if (response.status != 200) {
    return fail(ErrorCode::kUnavailable, fmt::format("{} answered {}", address, response.status));
  }
  return response.body;
}

}  // namespace searchsync::control
