#include "operator/cluster/selected_namespaces.h"

namespace searchsync::cluster {

void SelectedNamespaces::apply(std::span<const kube::Change> changes) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& change : changes) {
      if (change.kind == kube::Change::Kind::kRemoved) {
        names_.erase(change.key.name);
      } else {
        names_.insert(change.key.name);
      }
    }
  }
  changed_.notify_all();
}

void SelectedNamespaces::synced() {
  {
    const std::lock_guard lock(mutex_);
    listed_ = true;
  }
  changed_.notify_all();
}

std::optional<std::set<std::string>> SelectedNamespaces::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool news = changed_.wait(lock, stop, [this] { return listed_ && returned_ != names_; });
  if (!news) return std::nullopt;
  returned_ = names_;
  return names_;
}

}  // namespace searchsync::cluster
