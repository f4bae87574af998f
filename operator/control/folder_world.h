#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "operator/control/folder_observer.h"
#include "operator/control/supervisor.h"
#include "operator/control/world.h"

namespace searchsync::http {
class Client;
}

namespace searchsync::control {

// A folder of resources, and child processes in place of pods.
class FolderWorld final : public World {
 public:
  FolderWorld(FolderObserver& observer, Supervisor& supervisor);
  ~FolderWorld() override;

  plan::Observed observe() override;
  Result<void> execute(const plan::Step& step) override;

 private:
  struct Rate {
    std::chrono::steady_clock::time_point at;
    double rows = 0;
    double per_second = 0;
  };

  plan::ObservedWorkload observe(const Supervisor::Group& group);
  void scrape(const Supervisor::Process& process, plan::ObservedProcess& seen,
              plan::ObservedWorkload& workload, double& rows);
  http::Client* client(const std::string& address);

  FolderObserver& observer_;
  Supervisor& supervisor_;
  std::map<std::string, std::unique_ptr<http::Client>> clients_;  // by address
  std::map<std::string, Rate> rates_;                             // by workload
};

}  // namespace searchsync::control
