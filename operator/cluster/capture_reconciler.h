#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "operator/cluster/index_reconciler.h"

namespace searchsync::cluster {

// The captures of a namespace: one a database, for all indices that read it. Thread-safe, but not
// for one namespace at a time.
class CaptureReconciler {
 public:
  explicit CaptureReconciler(IndexReconciler::Parts parts) : parts_(std::move(parts)) {}

  // What an index was last planned to read. Returns whether that is news.
  bool note(const plan::ObjectKey& index, std::span<const model::PipelineConfig> readers,
            plan::Hold hold);
  void forget(const plan::ObjectKey& index);

  // False: something could not be done and is to be tried again.
  bool run(const std::string& namespace_);

 private:
  struct Reading {
    std::vector<model::PipelineConfig> readers;  // for_captures() of those that were noted
    plan::Hold hold = plan::Hold::kYes;
  };
  // All that the indices of a namespace need.
  struct Needs {
    model::Resources declared;
    std::vector<model::PipelineConfig> readers;
    plan::Hold hold = plan::Hold::kNo;              // kYes: of some index it is not known
    std::map<std::string, std::set<Owner>> owners;  // by workload: the indices that stay
    std::set<std::string> secrets;
    std::set<plan::ObjectKey> databases;  // indices with `tables`, all of which are known
  };
  Needs needs(const std::string& namespace_);
  // Who owns what is made for an index: of a table its database's, one for all. Nothing: it goes.
  std::optional<Owner> owner_of(const DeclaredIndex* index) const;
  bool execute(const plan::Step& step, const std::string& namespace_,
               std::span<const Owner> owners);
  Result<void> drop_slot(const plan::DropSlot& action, const std::string& namespace_);
  // Why a step could not be done when it was last tried; empty: it was not, or could.
  std::string failure(const std::string& namespace_, const std::string& step);
  void set_failure(const std::string& namespace_, const std::string& step,
                   const std::string& message);

  const IndexReconciler::Parts parts_;
  std::mutex mutex_;
  std::map<plan::ObjectKey, Reading> readings_;                          // guarded by mutex_
  std::map<std::pair<std::string, std::string>, std::string> failures_;  // guarded by mutex_
};

}  // namespace searchsync::cluster
