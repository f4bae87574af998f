#pragma once

#include "operator/control/folder_observer.h"
#include "operator/control/scraper.h"
#include "operator/control/supervisor.h"
#include "operator/control/world.h"

namespace searchsync::control {

// A folder of resources, and child processes in place of pods.
class FolderWorld final : public World {
 public:
  FolderWorld(FolderObserver& observer, Supervisor& supervisor);

  plan::Observed observe() override;
  Result<void> execute(const plan::Step& step) override;

 private:
  plan::ObservedWorkload observe(const Supervisor::Group& group);

  FolderObserver& observer_;
  Supervisor& supervisor_;
  Scraper scraper_;
};

}  // namespace searchsync::control
