#pragma once

#include <map>
#include <string>

#include "lib/metrics/registry.h"

namespace searchsync::worker {

// Every metric of a worker, made once. The labels index and generation are on all of them.
class WorkerMetrics {
 public:
  WorkerMetrics(metrics::Registry& registry, const std::string& index,
                const std::string& generation);

  // Records read from a binding's topic, and what came of them.
  metrics::Counter rows(const std::string& binding);
  metrics::Counter row_bytes(const std::string& binding);
  metrics::Counter dead_letters(const std::string& binding);
  metrics::Gauge halted(const std::string& binding);
  // Of a source's partition (stage "route"), or of the document log's (stage "fold"): see lag.h.
  // Not to be used after no_lag().
  metrics::Gauge lag(const std::string& stage, const std::string& topic, int partition);
  void no_lag(const std::string& stage, const std::string& topic, int partition);

  metrics::Counter messages;  // of the document log
  metrics::Counter applied;   // documents, by outcome
  metrics::Counter deleted;
  metrics::Counter stale;
  metrics::Counter retried;
  metrics::Counter rejected;
  metrics::Counter expired;  // not sent: older than the partitions that are kept
  metrics::Counter cleaned;  // rows deleted from the document log for the same reason
  metrics::Counter bulk_requests;
  metrics::Counter bulk_failures;
  metrics::Counter bulk_bytes;
  metrics::Histogram bulk_seconds;
  metrics::Histogram indexed_seconds;  // from the source's commit to the engine's acknowledgement
  metrics::Gauge state_bytes;
  metrics::Gauge fan_outs;   // partitions with changes that are still on their way to documents
  metrics::Gauge in_flight;  // batches not yet acknowledged
  metrics::Gauge documents_waiting;
  metrics::Gauge partitions;  // of the document log that are ours

 private:
  metrics::Labels with(std::initializer_list<std::pair<std::string, std::string>> more) const;

  metrics::Registry& registry_;
  const std::string index_;
  const std::string generation_;
};

}  // namespace searchsync::worker
