#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "lib/base/error.h"
#include "lib/model/secrets.h"
#include "operator/control/backends.h"
#include "operator/control/folder_resources.h"
#include "operator/control/folder_tables.h"
#include "operator/control/notes_file.h"
#include "operator/plan/plan.h"

namespace searchsync::control {

// All of a folder's world but the processes: resources, notes, engines, Kafka. One thread.
class FolderObserver {
 public:
  struct Options {
    std::filesystem::path directory;
    std::filesystem::path secrets;
    std::filesystem::path state_dir;
  };

  explicit FolderObserver(Options options);

  FolderResources& resources() { return resources_; }

  // Without workloads.
  plan::Observed observe();

  // Waits until each database whose tables are declared has been read, or found not to answer.
  void settle() { tables_.settle(resources_.resources()); }

  // Steps that concern processes are a bug here.
  Result<void> execute(const plan::Step& step);

  // Before a capture runs: that there will be a slot.
  Result<void> note_capture(const plan::Workload& capture);

 private:
  // How a capture ran last, until its slot is dropped.
  std::filesystem::path capture_file(const std::string& capture) const;
  // But for those whose slot could not be dropped a moment ago: asking may take long.
  std::set<std::string> captures() const;
  Result<void> execute(const plan::DropSlot& action);
  // The resource that a step's owner is, or was when it was declared last.
  Result<model::SearchIndex> find(const plan::ObjectKey& owner) const;

  const Options options_;
  const model::FolderSecrets secrets_;
  FolderResources resources_;
  FolderTables tables_;
  model::Resources observed_;  // with the tables', as of the last observation
  NotesFile notes_;
  std::map<std::string, std::string> secret_hashes_;
  std::map<std::string, std::chrono::steady_clock::time_point> drop_again_;  // by capture
  Backends backends_;
};

}  // namespace searchsync::control
