#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/model/secrets.h"
#include "operator/control/engine.h"
#include "operator/control/folder_resources.h"
#include "operator/control/log_cluster.h"
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

  // Steps that concern processes are a bug here.
  Result<void> execute(const plan::Step& step);

 private:
  void observe_index(const model::SearchIndex& index,
                     std::span<const model::SourceBinding> bindings, plan::ObservedIndex& seen);
  Result<Engine*> engine(const model::SearchIndex& index);
  Result<LogCluster*> cluster(const model::SearchIndex& index);
  // The resource that a step's owner is, or was when it was declared last.
  Result<model::SearchIndex> find(const plan::ObjectKey& owner) const;

  template <class Step>
  Result<void> on_engine(const plan::ObjectKey& owner, const Step& step);
  template <class Step>
  Result<void> on_cluster(const plan::ObjectKey& owner, const Step& step);
  Result<void> send_lead(const plan::ObjectKey& owner, const plan::SendLead& step);
  Result<void> send_begin(const plan::ObjectKey& owner, const plan::SendBegin& step);

  const Options options_;
  const model::FolderSecrets secrets_;
  FolderResources resources_;
  NotesFile notes_;
  std::map<std::string, std::string> secret_hashes_;
  std::map<plan::ObjectKey, std::unique_ptr<Engine>> engines_;
  std::map<plan::ObjectKey, std::unique_ptr<LogCluster>> clusters_;
};

}  // namespace searchsync::control
