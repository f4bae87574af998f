#include "aggregate/run/aggregate_metrics.h"

namespace searchsync::aggregate {
namespace {

constexpr std::string_view kLag = "searchsync_aggregate_lag_seconds";

metrics::Counter transactions(metrics::Registry& registry, metrics::Labels labels,
                              const std::string& outcome) {
  labels.emplace_back("outcome", outcome);
  return registry.counter("searchsync_aggregate_transactions_total", "Transactions, by outcome",
                          labels);
}

}  // namespace

TableMetrics::TableMetrics(metrics::Registry& registry, const std::string& index,
                           const std::string& binding, const std::string& table)
    : registry_(registry),
      labels_{{"index", index}, {"binding", binding}, {"table", table}},
      events(registry.counter("searchsync_aggregate_events_total", "Events read", labels_)),
      duplicates(registry.counter("searchsync_aggregate_duplicates_total",
                                  "Events that came before and were not counted again", labels_)),
      dead_letters(registry.counter("searchsync_aggregate_dead_letters_total",
                                    "Events that cannot be counted", labels_)),
      rows(registry.counter("searchsync_aggregate_rows_total", "Rows written to the table",
                            labels_)),
      committed(transactions(registry, labels_, "committed")),
      aborted(transactions(registry, labels_, "aborted")),
      transaction_seconds(registry.histogram("searchsync_aggregate_transaction_duration_seconds",
                                             "From the beginning of a transaction to its end",
                                             metrics::latency_buckets_seconds(), labels_)),
      halted(registry.gauge("searchsync_aggregate_binding_halted",
                            "1 if a partition of the binding's events has halted", labels_)),
      partitions(registry.gauge("searchsync_aggregate_partitions", "Partitions of the events held",
                                labels_)),
      restoring(registry.gauge("searchsync_aggregate_restoring_partitions",
                               "Partitions whose rows are still being read", labels_)),
      groups_waiting(registry.gauge("searchsync_aggregate_groups_waiting",
                                    "Groups that have changed and are not written yet", labels_)),
      ids(registry.gauge("searchsync_aggregate_ids_remembered",
                         "Ids of events that would not be counted again", labels_)),
      memory_bytes(registry.gauge("searchsync_aggregate_memory_bytes",
                                  "Groups kept in memory, in bytes", labels_)),
      state_bytes(registry.gauge("searchsync_aggregate_state_bytes",
                                 "State on disk and not yet on disk", labels_)) {}

metrics::Labels TableMetrics::with(const std::string& topic, int partition) const {
  auto labels = labels_;
  labels.emplace_back("topic", topic);
  labels.emplace_back("partition", std::to_string(partition));
  return labels;
}

metrics::Gauge TableMetrics::lag(const std::string& topic, int partition) {
  return registry_.gauge(kLag, "How far behind the last event read is, in time; 0 at the end",
                         with(topic, partition));
}

void TableMetrics::no_lag(const std::string& topic, int partition) {
  registry_.remove_gauge(kLag, with(topic, partition));
}

}  // namespace searchsync::aggregate
