#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace searchsync::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Handles: cheap to copy, valid as long as their Registry, thread-safe, no lock or allocation in
// Counter and Gauge (a Histogram takes a lock of its own).

// Only goes up. Names end in _total.
class Counter {
 public:
  void add(double amount = 1) const;  // amount >= 0
  double value() const;

 private:
  friend class Registry;
  explicit Counter(void* metric) : metric_(metric) {}
  void* metric_;
};

class Gauge {
 public:
  void set(double value) const;
  void add(double amount) const;
  double value() const;

 private:
  friend class Registry;
  explicit Gauge(void* metric) : metric_(metric) {}
  void* metric_;
};

// How values are spread. Names end in their unit: _seconds, _bytes, _records.
class Histogram {
 public:
  void observe(double value) const;

 private:
  friend class Registry;
  explicit Histogram(void* metric) : metric_(metric) {}
  void* metric_;
};

// Upper bounds from 1 ms to 60 s, for most waits.
std::vector<double> latency_buckets_seconds();

// The metrics of one process, and their text form for Prometheus. Thread-safe.
//
// Asking again for the same name and labels gives the same metric. One name has one type, one help
// text of one line and one set of label names, and names match [a-z_][a-z0-9_]*: all else is a bug.
// Source: prometheus.io, "Metric and label naming", "Exposition formats".
class Registry {
 public:
  // Also has process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
  // process_threads and process_start_time_seconds, read when rendered.
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  // `buckets`: rising upper bounds, without +Inf; the same for all labels of a name.
  Histogram histogram(std::string_view name, std::string_view help,
                      const std::vector<double>& buckets, const Labels& labels = {});

  // Takes away a gauge that no longer means anything (the lag of a partition that is somebody
  // else's now). Its handles must not be used after.
  void remove_gauge(std::string_view name, const Labels& labels);

  // Everything, in text format 0.0.4, by name.
  std::string render() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::metrics
