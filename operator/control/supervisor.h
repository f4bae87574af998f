#pragma once

// The child processes of `searchsync run`: starts, watches, restarts, stops them.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "operator/plan/actions.h"

namespace searchsync::control {

struct SupervisorOptions {
  std::filesystem::path executable = "/proc/self/exe";
  std::filesystem::path state_dir;  // logs/, config/, address/ and state/ in it
  std::filesystem::path secrets;
  std::string public_host = "127.0.0.1";  // of queries and events, where a port is declared
  std::string log_level = "info";
  std::chrono::milliseconds stop_grace{20'000};  // from SIGTERM to SIGKILL
};

// One thread, and the same from beginning to end: a child dies with the thread that started it.
//
// Each child is killed by the kernel when this process dies, however it dies: each is told its
// parent's id and asks for that itself, before anything else.
class Supervisor {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Supervisor(SupervisorOptions options);
  ~Supervisor();  // stop_all()
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Runs `workload`; processes of the same name and another hash are stopped first, and of those of
  // the same hash the last ones, if there are too many. Errors:
  // kUnavailable if its config cannot be written. A process that does not start is not an error: it
  // is tried again.
  Result<void> ensure(const plan::Workload& workload);
  // Stops its processes and deletes their state. Returns when they are gone.
  Result<void> remove(const std::string& name);
  // Deletes what a workload that does not run has left behind.
  Result<void> delete_state(const std::string& name);

  // Takes note of what ended and starts it again when it is time.
  void tick();
  void stop_all();

  struct Process {
    std::string name;
    pid_t pid = 0;
    std::string address;  // empty: not listening yet
    std::string serves;   // where an ingest takes events; empty: not yet
    std::string ended;    // how it ended last; empty: never
  };
  struct Group {
    plan::Workload workload;
    std::vector<Process> processes;
  };
  // In order of name.
  std::vector<Group> groups() const;

 private:
  struct Child {
    std::string name;
    int number = 0;
    pid_t pid = 0;  // 0: not running
    Clock::time_point started;
    Clock::time_point not_before;
    Backoff backoff;
    std::string ended;
  };
  struct Entry {
    plan::Workload workload;
    std::vector<Child> children;
  };

  static std::vector<Child*> children_from(Entry& entry, size_t first);
  void start(const plan::Workload& workload, Child& child);
  void reap(Child& child);
  std::filesystem::path log_of(const Child& child) const;
  void stop(std::vector<Child*> children);
  std::vector<std::string> arguments(const plan::Workload& workload, const Child& child) const;
  std::filesystem::path config_file(const std::string& workload) const;
  std::filesystem::path address_file(const Child& child) const;
  // As it has written them there; empty: it does not listen yet.
  struct Addresses {
    std::string operations;
    std::string serves;  // of ingest
  };
  Addresses addresses(const Child& child) const;
  std::string public_address(const plan::Workload& workload, const Child& child) const;

  const SupervisorOptions options_;
  std::map<std::string, Entry> entries_;
};

}  // namespace searchsync::control
