#pragma once

#include <string>

#include "lib/metrics/registry.h"

namespace searchsync::aggregate {

// Every metric of one table, made once. Index, binding and table are on all of them.
class TableMetrics {
 public:
  TableMetrics(metrics::Registry& registry, const std::string& index, const std::string& binding,
               const std::string& table);

  // Of a partition of the events: seconds behind, by the time of the last record read; 0 at the
  // end. Not to be used after no_lag().
  metrics::Gauge lag(const std::string& topic, int partition);
  void no_lag(const std::string& topic, int partition);

 private:
  metrics::Registry& registry_;
  const metrics::Labels labels_;
  metrics::Labels with(const std::string& topic, int partition) const;

 public:
  metrics::Counter events;
  metrics::Counter duplicates;
  metrics::Counter dead_letters;
  metrics::Counter rows;  // written to the table
  metrics::Counter committed;
  metrics::Counter aborted;
  metrics::Histogram transaction_seconds;
  metrics::Gauge halted;
  metrics::Gauge partitions;
  metrics::Gauge restoring;  // partitions
  metrics::Gauge groups_waiting;
  metrics::Gauge ids;
  metrics::Gauge memory_bytes;
  metrics::Gauge state_bytes;
};

}  // namespace searchsync::aggregate
