#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "operator/plan/observed.h"

namespace searchsync::http {
class Client;
}

namespace searchsync::control {

// Asks processes how they are: /readyz and /metrics. Thread-safe; a call waits for its process.
class Scraper {
 public:
  Scraper();
  ~Scraper();

  // Fills in what the process at `address` says of itself, and adds the rows it has read to `rows`.
  void ask(const std::string& address, plan::ObservedProcess& process,
           plan::ObservedWorkload& workload, double& rows);

  // Rows a second since the last time, of all of a workload's processes together.
  double rate(const std::string& workload, double rows);

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    std::shared_ptr<http::Client> client;  // shared: it may be dropped here while it is in use
    Clock::time_point used;
  };
  struct Rate {
    Clock::time_point at;
    double rows = 0;
    double per_second = 0;
  };

  void prune(Clock::time_point now);  // with the mutex held
  std::shared_ptr<http::Client> client(const std::string& address);

  std::mutex mutex_;
  std::map<std::string, Connection> connections_;  // by address; guarded by mutex_
  std::map<std::string, Rate> rates_;              // by workload; guarded by mutex_
  Clock::time_point pruned_;                       // guarded by mutex_
};

}  // namespace searchsync::control
