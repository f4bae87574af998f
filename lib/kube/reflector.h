#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kube/reflector_core.h"
#include "lib/kube/reflector_sink.h"

namespace searchsync::metrics {
class Registry;
}

namespace searchsync::kube {

class Credentials;

using ReflectorId = Named<uint64_t, struct ReflectorIdTag>;

struct ReflectorStatus {
  bool synced = false;  // a whole list has been applied; stays so while the server is away
  size_t objects = 0;
  // How long nothing has come from the server, not even a bookmark.
  std::chrono::milliseconds silent{0};
  // Why the last request did not succeed; empty once one does. For people.
  std::string problem;
};

// Follows any number of collections by list and watch, each over a connection of its own, all on
// one thread.
//
// Metrics, by resource and namespace ("" for all): searchsync_watch_restarts_total (and by reason),
// searchsync_watch_lists_total, searchsync_watch_events_total, searchsync_watch_malformed_total,
// searchsync_watch_objects, searchsync_watch_last_receive_timestamp_seconds; and
// rest_client_requests_total.
class Reflectors {
 public:
  // Both references must outlive this. Errors: those of Credentials::current().
  static Result<std::unique_ptr<Reflectors>> create(Credentials& credentials,
                                                    metrics::Registry& registry);
  // Stops all. No sink is called any more when this returns.
  ~Reflectors();
  Reflectors(const Reflectors&) = delete;
  Reflectors& operator=(const Reflectors&) = delete;

  // Begins to follow what `options` says. Does not wait. `sink` is called on the thread of this
  // class, which it must not hold up: it may update a map or a queue under a mutex of its own, and
  // neither call this class nor wait. It must outlive the reflector. Thread-safe.
  ReflectorId start(ReflectorOptions options, ReflectorSink& sink);

  // Follows it no more; its sink is not called when this returns. No removals are delivered. An id
  // that is not known any more is ignored. Thread-safe; not from a sink.
  void stop(ReflectorId id);

  // Thread-safe. A moment behind what the sink has been told. Of an id that is not known: as of one
  // that has just begun.
  ReflectorStatus status(ReflectorId id) const;

 private:
  struct Impl;
  explicit Reflectors(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
