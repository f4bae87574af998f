#include "worker/run/worker_metrics.h"

namespace searchsync::worker {
namespace {

constexpr std::string_view kLag = "searchsync_worker_lag_seconds";
constexpr std::string_view kDocuments = "searchsync_worker_documents_total";
constexpr std::string_view kDocumentsHelp = "Documents sent to the search engine, by outcome";

}  // namespace

WorkerMetrics::WorkerMetrics(metrics::Registry& registry, const std::string& index,
                             const std::string& generation)
    : messages(registry.counter("searchsync_worker_messages_total",
                                "Messages of the document log folded",
                                {{"index", index}, {"generation", generation}})),
      applied(
          registry.counter(kDocuments, kDocumentsHelp,
                           {{"index", index}, {"generation", generation}, {"outcome", "applied"}})),
      deleted(
          registry.counter(kDocuments, kDocumentsHelp,
                           {{"index", index}, {"generation", generation}, {"outcome", "deleted"}})),
      stale(registry.counter(kDocuments, kDocumentsHelp,
                             {{"index", index}, {"generation", generation}, {"outcome", "stale"}})),
      retried(
          registry.counter(kDocuments, kDocumentsHelp,
                           {{"index", index}, {"generation", generation}, {"outcome", "retried"}})),
      rejected(registry.counter(
          kDocuments, kDocumentsHelp,
          {{"index", index}, {"generation", generation}, {"outcome", "rejected"}})),
      expired(registry.counter("searchsync_worker_documents_expired_total",
                               "Documents not written because their partitions are not kept",
                               {{"index", index}, {"generation", generation}})),
      cleaned(registry.counter("searchsync_worker_rows_expired_total",
                               "Rows deleted from the document log with their partitions",
                               {{"index", index}, {"generation", generation}})),
      bulk_requests(registry.counter("searchsync_worker_bulk_requests_total", "Bulk requests sent",
                                     {{"index", index}, {"generation", generation}})),
      bulk_failures(registry.counter("searchsync_worker_bulk_failures_total",
                                     "Bulk requests that have to be sent again as a whole",
                                     {{"index", index}, {"generation", generation}})),
      bulk_bytes(registry.counter("searchsync_worker_bulk_bytes_total",
                                  "Bytes of bulk requests sent",
                                  {{"index", index}, {"generation", generation}})),
      bulk_seconds(registry.histogram(
          "searchsync_worker_bulk_duration_seconds", "From sending a bulk request to its answer",
          metrics::latency_buckets_seconds(), {{"index", index}, {"generation", generation}})),
      indexed_seconds(registry.histogram(
          "searchsync_worker_change_to_indexed_seconds",
          "From the commit in the source to the search engine's acknowledgement of the document",
          metrics::latency_buckets_seconds(), {{"index", index}, {"generation", generation}})),
      state_bytes(registry.gauge("searchsync_worker_state_bytes",
                                 "State on disk and not yet on disk",
                                 {{"index", index}, {"generation", generation}})),
      fan_outs(registry.gauge("searchsync_worker_fan_out_partitions",
                              "Partitions with changes still on their way to many documents",
                              {{"index", index}, {"generation", generation}})),
      in_flight(registry.gauge("searchsync_worker_batches_in_flight",
                               "Batches of messages whose effects are not all acknowledged",
                               {{"index", index}, {"generation", generation}})),
      documents_waiting(registry.gauge("searchsync_worker_documents_waiting",
                                       "Documents to be written that are not built yet",
                                       {{"index", index}, {"generation", generation}})),
      partitions(registry.gauge("searchsync_worker_partitions",
                                "Partitions of the document log held",
                                {{"index", index}, {"generation", generation}})),
      registry_(registry),
      index_(index),
      generation_(generation) {}

metrics::Labels WorkerMetrics::with(
    std::initializer_list<std::pair<std::string, std::string>> more) const {
  metrics::Labels labels = {{"index", index_}, {"generation", generation_}};
  labels.insert(labels.end(), more);
  return labels;
}

metrics::Counter WorkerMetrics::rows(const std::string& binding) {
  return registry_.counter("searchsync_worker_rows_total", "Records read from sources",
                           with({{"binding", binding}}));
}

metrics::Counter WorkerMetrics::row_bytes(const std::string& binding) {
  return registry_.counter("searchsync_worker_row_bytes_total",
                           "Bytes of records read from sources", with({{"binding", binding}}));
}

metrics::Counter WorkerMetrics::dead_letters(const std::string& binding) {
  return registry_.counter("searchsync_worker_dead_letters_total",
                           "Records, messages and documents given up on",
                           with({{"binding", binding}}));
}

metrics::Gauge WorkerMetrics::halted(const std::string& binding) {
  return registry_.gauge("searchsync_worker_binding_halted",
                         "1 if the binding stopped at its limit of dead letters",
                         with({{"binding", binding}}));
}

metrics::Gauge WorkerMetrics::lag(const std::string& stage, const std::string& topic,
                                  int partition) {
  return registry_.gauge(
      kLag, "The age of the oldest record that is not done; 0 if all are",
      with({{"stage", stage}, {"topic", topic}, {"partition", std::to_string(partition)}}));
}

void WorkerMetrics::no_lag(const std::string& stage, const std::string& topic, int partition) {
  registry_.remove_gauge(
      kLag, with({{"stage", stage}, {"topic", topic}, {"partition", std::to_string(partition)}}));
}

}  // namespace searchsync::worker
