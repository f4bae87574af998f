#pragma once

#include <memory>
#include <string>

#include "lib/kube/client.h"
#include "lib/model/status.h"
#include "operator/cluster/store.h"
#include "operator/control/notes.h"

namespace searchsync::cluster {

// Writes a resource's whole status, if nobody has written the resource since `meta`. Returns the
// object. Errors: kConflict, kNotFound, those of the API server.
Result<std::string> write_resource_status(kube::Client& client, const kube::ResourceType& type,
                                          const Meta& meta, const std::string& status);

// The notes of one SearchIndex, in its status. What is written is in the store when a call returns,
// and a write fails if the resource is newer than what was read: an operator that has lost its
// place cannot undo what another has noted. That is kUnavailable: it passes. Not thread-safe.
class StatusNotes final : public control::Notes {
 public:
  // The references must outlive this.
  StatusNotes(Store& store, kube::Client& client, std::shared_ptr<const DeclaredIndex> index);

  const model::SearchIndexStatus& status() const { return status_; }
  const std::string& resource_version() const { return index_->meta.resource_version; }

  plan::IndexNotes get(const plan::ObjectKey& index) const override;
  Result<void> update(const plan::ObjectKey& index, plan::IndexNotes notes) override;
  Result<void> forget(const plan::ObjectKey& index) override;

  // All but the notes, which stay as they are.
  Result<void> write(model::SearchIndexStatus status);

  // Takes the resource as the store has it now.
  void renew();

 private:
  Result<void> put(model::SearchIndexStatus status);

  Store& store_;
  kube::Client& client_;
  std::shared_ptr<const DeclaredIndex> index_;
  model::SearchIndexStatus status_;
};

}  // namespace searchsync::cluster
