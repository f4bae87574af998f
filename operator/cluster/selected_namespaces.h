#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "lib/kube/reflector_sink.h"

namespace searchsync::cluster {

// The namespaces that a reflector lists: those with a label, as they get it and lose it.
// Thread-safe.
class SelectedNamespaces final : public kube::ReflectorSink {
 public:
  void apply(std::span<const kube::Change> changes) override;
  void synced() override;

  // Waits until they are listed, and are others than when this last returned. Nothing: stop was
  // requested.
  std::optional<std::set<std::string>> next(const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_.
  std::set<std::string> names_;
  std::optional<std::set<std::string>> returned_;
  bool listed_ = false;
};

}  // namespace searchsync::cluster
