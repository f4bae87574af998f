#include "operator/control/supervisor.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "operator/control/notes_file.h"

namespace searchsync::control {
namespace {

constexpr auto kStableAfter = std::chrono::seconds(60);
constexpr const char* kAnyAddress = "127.0.0.1:0";
constexpr auto kStopPoll = std::chrono::milliseconds(20);
constexpr uintmax_t kLogBytesMax = 16 << 20;
constexpr int kLogFlags = O_WRONLY | O_CREAT | O_APPEND;

// What it said last.
std::string last_line(const std::filesystem::path& path) {
  constexpr std::streamoff kLineMax = 1000;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  file.seekg(std::max<std::streamoff>(0, file.tellg() - kLineMax));
  std::string line, last;
  while (std::getline(file, line)) {
    if (!line.empty()) last = std::exchange(line, {});
  }
  constexpr std::string_view kProgram = "searchsync: ";
  return last.starts_with(kProgram) ? last.substr(kProgram.size()) : last;
}

std::string describe_end(int status, const std::filesystem::path& log) {
  if (WIFSIGNALED(status)) {
    return fmt::format("it was ended by signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }
  const auto said = last_line(log);
  return fmt::format("it exited with code {}{}{}", WEXITSTATUS(status), said.empty() ? "" : ": ",
                     said);
}

// Its signal mask and process group are its own: an interrupt typed at the terminal is for us, and
// we stop our children.
Result<pid_t> spawn(const std::filesystem::path& executable, std::vector<std::string> arguments,
                    const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), kLogFlags, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, executable.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(ErrorCode::kUnavailable, std::strerror(error));
  return pid;
}

// Keeps one former log file, so that each process has at most twice the limit.
void rotate(const std::filesystem::path& log) {
  std::error_code ignored;
  if (std::filesystem::file_size(log, ignored) < kLogBytesMax || ignored) return;
  auto former = log;
  former += ".1";
  std::filesystem::rename(log, former, ignored);
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options) : options_(std::move(options)) {
  std::error_code error;
  for (const auto* folder : {"logs", "config", "address", "state"}) {
    std::filesystem::create_directories(options_.state_dir / folder, error);
    if (error) log::error("{}: {}", (options_.state_dir / folder).string(), error.message());
  }
}

Supervisor::~Supervisor() {
  stop_all();
}

std::filesystem::path Supervisor::config_file(const std::string& workload) const {
  return options_.state_dir / "config" / (workload + ".json");
}

std::filesystem::path Supervisor::address_file(const Child& child) const {
  return options_.state_dir / "address" / child.name;
}

Result<void> Supervisor::ensure(const plan::Workload& workload) {
  auto known = entries_.find(workload.name);
  if (known != entries_.end() && known->second.workload.hash != workload.hash) {
    stop(children_from(known->second, 0));
    entries_.erase(known);
    known = entries_.end();
  }
  if (known == entries_.end()) {
    RETURN_IF_ERROR(write_file(config_file(workload.name), workload.config));
  }
  Entry& entry = entries_[workload.name];
  entry.workload = workload;
  const auto wanted = static_cast<size_t>(workload.replicas);
  if (entry.children.size() > wanted) {
    stop(children_from(entry, wanted));
    while (entry.children.size() > wanted) entry.children.pop_back();
  }
  while (entry.children.size() < wanted) {
    const auto number = static_cast<int>(entry.children.size());
    auto name = number == 0 ? workload.name : fmt::format("{}-{}", workload.name, number);
    const auto seed = stable_hash(name);
    entry.children.push_back({.name = std::move(name),
                              .number = number,
                              .started = {},
                              .not_before = {},
                              .backoff = Backoff({.first = std::chrono::milliseconds(500),
                                                  .longest = std::chrono::milliseconds(30'000)},
                                                 seed)});
    start(entry.workload, entry.children.back());
  }
  return {};
}

std::vector<Supervisor::Child*> Supervisor::children_from(Entry& entry, size_t first) {
  std::vector<Child*> children;
  for (size_t i = first; i < entry.children.size(); ++i) children.push_back(&entry.children[i]);
  return children;
}

Supervisor::Addresses Supervisor::addresses(const Child& child) const {
  Addresses addresses;
  std::istringstream lines(read_file(address_file(child)).value_or(""));
  std::getline(lines, addresses.operations);
  std::getline(lines, addresses.serves);
  return addresses;
}

// Where it is asked. People have been told of it, so it is as it was before; but not after it could
// not listen there.
std::string Supervisor::public_address(const plan::Workload& workload, const Child& child) const {
  if (workload.port != 0 && child.number == 0) {
    return fmt::format("{}:{}", options_.public_host, workload.port);
  }
  const auto before = addresses(child);
  const auto& address = workload.role == plan::Role::kIngest ? before.serves : before.operations;
  return address.empty() ? kAnyAddress : address;
}

std::vector<std::string> Supervisor::arguments(const plan::Workload& workload,
                                               const Child& child) const {
  const std::string any = kAnyAddress;
  const std::string open = public_address(workload, child);
  std::vector<std::string> all = {"searchsync",
                                  "--log-level",
                                  options_.log_level,
                                  "--die-with-parent",
                                  std::to_string(::getpid()),
                                  std::string(to_string(workload.role)),
                                  "--config",
                                  config_file(workload.name).string(),
                                  "--secrets",
                                  options_.secrets.string(),
                                  "--listen",
                                  workload.role == plan::Role::kQuery ? open : any,
                                  "--address-file",
                                  address_file(child).string()};
  if (workload.role == plan::Role::kIngest) {
    all.push_back("--serve");
    all.push_back(open);
  }
  if (workload.has_state()) {
    all.push_back("--state-dir");
    all.push_back(
        (options_.state_dir / "state" / workload.name / std::to_string(child.number)).string());
  }
  if (workload.role == plan::Role::kAggregate) {
    all.push_back("--instance");
    all.push_back(std::to_string(child.number));
  }
  return all;
}

void Supervisor::start(const plan::Workload& workload, Child& child) {
  const auto all = arguments(workload, child);
  std::error_code ignored;
  std::filesystem::remove(address_file(child), ignored);
  if (workload.has_state()) {
    std::filesystem::create_directories(
        options_.state_dir / "state" / workload.name / std::to_string(child.number), ignored);
  }
  const auto log = log_of(child);
  rotate(log);
  child.started = Clock::now();
  const auto pid = spawn(options_.executable, all, log);
  if (!pid) {
    child.ended = "it could not be started: " + pid.error().message;
    child.not_before = child.started + child.backoff.next();
    log::error("{}: {}", child.name, child.ended);
    return;
  }
  child.pid = *pid;
  log::info("{}: started as process {}, log in {}", child.name, child.pid, log.string());
}

std::filesystem::path Supervisor::log_of(const Child& child) const {
  return options_.state_dir / "logs" / (child.name + ".log");
}

void Supervisor::reap(Child& child) {
  int status = 0;
  if (child.pid == 0 || ::waitpid(child.pid, &status, WNOHANG) != child.pid) return;
  child.pid = 0;
  child.ended = describe_end(status, log_of(child));
  const auto now = Clock::now();
  if (now - child.started > kStableAfter) child.backoff.reset();
  child.not_before = now + child.backoff.next();
}

void Supervisor::tick() {
  for (auto& [name, entry] : entries_) {
    for (auto& child : entry.children) {
      const bool ran = child.pid != 0;
      reap(child);
      if (ran && child.pid == 0) {
        log::warning("{}: {}; see {}", child.name, child.ended, log_of(child).string());
      }
      if (child.pid == 0 && Clock::now() >= child.not_before) start(entry.workload, child);
    }
  }
}

// All at once, so that together they take as long as the slowest.
void Supervisor::stop(std::vector<Child*> children) {
  for (auto* child : children) {
    if (child->pid != 0) ::kill(child->pid, SIGTERM);
  }
  const auto deadline = Clock::now() + options_.stop_grace;
  bool killed = false;
  for (;;) {
    bool all_gone = true;
    for (auto* child : children) {
      reap(*child);
      all_gone = all_gone && child->pid == 0;
    }
    if (all_gone) break;
    if (!killed && Clock::now() > deadline) {
      killed = true;
      for (auto* child : children) {
        if (child->pid == 0) continue;
        log::warning("{}: did not stop in time and is killed", child->name);
        ::kill(child->pid, SIGKILL);
      }
    }
    std::this_thread::sleep_for(kStopPoll);
  }
}

Result<void> Supervisor::remove(const std::string& name) {
  std::error_code ignored;
  const auto known = entries_.find(name);
  if (known != entries_.end()) {
    const auto children = children_from(known->second, 0);
    stop(children);
    for (const auto* child : children) std::filesystem::remove(address_file(*child), ignored);
    entries_.erase(known);
    log::info("{}: stopped", name);
  }
  std::filesystem::remove(config_file(name), ignored);
  return delete_state(name);
}

Result<void> Supervisor::delete_state(const std::string& name) {
  std::error_code error;
  std::filesystem::remove_all(options_.state_dir / "state" / name, error);
  if (error) return fail(ErrorCode::kUnavailable, "state of " + name + ": " + error.message());
  return {};
}

void Supervisor::stop_all() {
  std::vector<Child*> children;
  for (auto& [name, entry] : entries_) {
    for (auto& child : entry.children) children.push_back(&child);
  }
  stop(std::move(children));
  entries_.clear();
}

std::vector<Supervisor::Group> Supervisor::groups() const {
  std::vector<Group> all;
  for (const auto& [name, entry] : entries_) {
    Group group{.workload = entry.workload, .processes = {}};
    for (const auto& child : entry.children) {
      Process process{
          .name = child.name, .pid = child.pid, .address = "", .serves = "", .ended = child.ended};
      if (child.pid != 0) {
        auto [operations, serves] = addresses(child);
        process.address = std::move(operations);
        process.serves = std::move(serves);
      }
      group.processes.push_back(std::move(process));
    }
    all.push_back(std::move(group));
  }
  return all;
}

}  // namespace searchsync::control
