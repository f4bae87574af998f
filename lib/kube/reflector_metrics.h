#pragma once

// What Reflectors tells of itself. For reflector.cc only.

#include <map>
#include <string>
#include <utility>

#include "lib/kube/reflector_core.h"

namespace searchsync::metrics {
class Registry;
}

namespace searchsync::kube {

// Not thread-safe.
class ReflectorMetrics {
 public:
  explicit ReflectorMetrics(metrics::Registry& registry) : registry_(registry) {}

  // What of a core has been told already.
  struct Told {
    ReflectorCounters counters;
    size_t objects = 0;
    ReflectorCore::Time receive{};
  };

  void begin(const ReflectorOptions& options);
  // Adds what is new since `told`.
  void tell(const ReflectorCore& core, Told& told);
  // Takes the gauges away when nobody else has their labels.
  void end(const ReflectorOptions& options, const Told& told);

 private:
  metrics::Registry& registry_;
  std::map<std::pair<std::string, std::string>, int> users_;  // of a resource and namespace
};

}  // namespace searchsync::kube
