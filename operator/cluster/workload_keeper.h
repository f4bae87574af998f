#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "lib/model/secrets.h"
#include "operator/cluster/manifests.h"
#include "operator/cluster/store.h"
#include "operator/control/scraper.h"
#include "operator/plan/plan.h"

namespace searchsync::cluster {

// Makes workloads run as pods, and sees how they are. Thread-safe.
class WorkloadKeeper {
 public:
  // The references must outlive this.
  WorkloadKeeper(Store& store, kube::Client& client, control::Scraper& scraper, PodOptions options);

  // Those of an index; of an empty owner: the captures of the namespace. Asks each pod.
  std::vector<plan::ObservedWorkload> observe(const std::string& namespace_,
                                              const plan::ObjectKey& owner);

  // owners: the SearchIndexes that need it. Errors: those of the API server.
  Result<void> ensure(const plan::Workload& workload, std::span<const Owner> owners);

  // Returns when its pods are gone. A capture's ConfigMap stays. Errors: kUnavailable while they
  // end, which may take as long as their grace period; those of the API server.
  Result<void> remove(const plan::Workload& workload);

  // Drops the slot of a capture that was removed, and then its ConfigMap. Errors: those of
  // drop_slot() and of the API server.
  Result<void> drop_slot(const kube::ObjectKey& config_map, const model::SecretStore& secrets);

 private:
  bool is_as_made(const WorkloadObject& object) const;
  plan::ObservedWorkload observe(const WorkloadObject& object);
  Result<void> apply(const Manifest& manifest);

  Store& store_;
  kube::Client& client_;
  control::Scraper& scraper_;
  const PodOptions options_;
  std::map<plan::Role, std::vector<kube::ResourceType>> types_;  // of manifests(); constant
};

}  // namespace searchsync::cluster
