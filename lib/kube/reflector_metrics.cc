#include "lib/kube/reflector_metrics.h"

#include <chrono>

#include "lib/metrics/registry.h"

namespace searchsync::kube {
namespace {

constexpr std::string_view kObjects = "searchsync_watch_objects";
constexpr std::string_view kObjectsHelp = "Objects that are followed.";
constexpr std::string_view kReceive = "searchsync_watch_last_receive_timestamp_seconds";
constexpr std::string_view kReceiveHelp =
    "When something last came from the API server, bookmarks included, since the Unix epoch.";

metrics::Labels gauge_labels(const ReflectorOptions& options) {
  return {{"resource", options.type.name()}, {"namespace", options.namespace_}};
}

}  // namespace

void ReflectorMetrics::begin(const ReflectorOptions& options) {
  ++users_[{options.type.name(), options.namespace_}];
  registry_.gauge(kObjects, kObjectsHelp, gauge_labels(options)).add(0);
}

void ReflectorMetrics::tell(const ReflectorCore& core, Told& told) {
  const ReflectorCounters& now = core.counters();
  const std::string resource = core.options().type.name();
  const auto count = [&](std::string_view name, std::string_view help, uint64_t value,
                         uint64_t before) {
    if (value == before) return;
    registry_.counter(name, help, {{"resource", resource}})
        .add(static_cast<double>(value - before));
  };
  count("searchsync_watch_lists_total", "Lists that were begun.", now.lists, told.counters.lists);
  count("searchsync_watch_events_total", "Changes that lists and watches have brought.", now.events,
        told.counters.events);
  count("searchsync_watch_bookmarks_total", "Bookmarks that watches have brought.", now.bookmarks,
        told.counters.bookmarks);
  for (size_t i = 0; i < kInterruptions; ++i) {
    const uint64_t more = now.interruptions[i] - told.counters.interruptions[i];
    if (more == 0) continue;
    registry_
        .counter("searchsync_watch_restarts_total", "Lists and watches that ended, by why.",
                 {{"resource", resource},
                  {"reason", std::string(to_string(static_cast<Interruption>(i)))}})
        .add(static_cast<double>(more));
  }
  if (core.objects() != told.objects) {
    registry_.gauge(kObjects, kObjectsHelp, gauge_labels(core.options()))
        .add(static_cast<double>(core.objects()) - static_cast<double>(told.objects));
  }
  if (core.last_receive() != told.receive) {
    const std::chrono::duration<double> since = std::chrono::system_clock::now().time_since_epoch();
    registry_.gauge(kReceive, kReceiveHelp, gauge_labels(core.options())).set(since.count());
  }
  told = {.counters = now, .objects = core.objects(), .receive = core.last_receive()};
}

void ReflectorMetrics::end(const ReflectorOptions& options, const Told& told) {
  registry_.gauge(kObjects, kObjectsHelp, gauge_labels(options))
      .add(-static_cast<double>(told.objects));
  const auto found = users_.find({options.type.name(), options.namespace_});
  if (found == users_.end() || --found->second > 0) return;
  users_.erase(found);
  registry_.remove_gauge(kObjects, gauge_labels(options));
  registry_.remove_gauge(kReceive, gauge_labels(options));
}

}  // namespace searchsync::kube
