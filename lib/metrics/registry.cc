#include "lib/metrics/registry.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>
#include <variant>

#include "lib/base/check.h"
#include "lib/metrics/process.h"

namespace searchsync::metrics {
namespace {

bool is_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

prometheus::MetricFamily family_of(std::string name, std::string help, prometheus::MetricType type,
                                   double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  metric.counter.value = value;
  return {.name = std::move(name), .help = std::move(help), .type = type, .metric = {metric}};
}

void add_process_metrics(std::vector<prometheus::MetricFamily>& families) {
  const auto usage = read_process_usage();
  if (!usage) return;
  using enum prometheus::MetricType;
  families.push_back(family_of("process_cpu_seconds_total",
                               "User and system CPU time spent, in seconds.", Counter,
                               usage->cpu_seconds));
  families.push_back(family_of("process_resident_memory_bytes", "Resident memory size, in bytes.",
                               Gauge, usage->resident_bytes));
  families.push_back(
      family_of("process_open_fds", "Number of open file descriptors.", Gauge, usage->open_fds));
  families.push_back(
      family_of("process_threads", "Number of operating system threads.", Gauge, usage->threads));
  families.push_back(family_of("process_start_time_seconds",
                               "Start time of the process since the Unix epoch, in seconds.", Gauge,
                               usage->start_time_seconds));
}

}  // namespace

void Counter::add(double amount) const {
  static_cast<prometheus::Counter*>(metric_)->Increment(amount);
}
double Counter::value() const {
  return static_cast<prometheus::Counter*>(metric_)->Value();
}

void Gauge::set(double value) const {
  static_cast<prometheus::Gauge*>(metric_)->Set(value);
}
void Gauge::add(double amount) const {
  static_cast<prometheus::Gauge*>(metric_)->Increment(amount);
}
double Gauge::value() const {
  return static_cast<prometheus::Gauge*>(metric_)->Value();
}

void Histogram::observe(double value) const {
  static_cast<prometheus::Histogram*>(metric_)->Observe(value);
}

std::vector<double> latency_buckets_seconds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

struct Registry::Impl {
  struct Known {
    std::variant<prometheus::Family<prometheus::Counter>*, prometheus::Family<prometheus::Gauge>*,
                 prometheus::Family<prometheus::Histogram>*>
        family;
    std::string help;
    std::vector<std::string> label_names;
    std::vector<double> buckets;
  };

  // The metric of that name and labels, made if it is not there yet.
  template <class T, class Builder, class... Arguments>
  T& get(Builder builder, std::string_view name, std::string_view help, const Labels& labels,
         const std::vector<double>& buckets, const Arguments&... arguments);

  prometheus::Registry registry;

  std::mutex mutex;
  std::map<std::string, Known, std::less<>> known;  // guarded by mutex
};

template <class T, class Builder, class... Arguments>
T& Registry::Impl::get(Builder builder, std::string_view name, std::string_view help,
                       const Labels& labels, const std::vector<double>& buckets,
                       const Arguments&... arguments) {
  CHECK(is_name(name), "\"{}\" is no name for a metric", name);
  // prometheus-cpp writes help texts as they are.
  CHECK(help.find_first_of("\\\n") == std::string_view::npos, "metric {}: help is one line", name);
  const prometheus::Labels own(labels.begin(), labels.end());
  CHECK(own.size() == labels.size(), "metric {}: a label twice", name);
  std::vector<std::string> label_names;
  for (const auto& [label, value] : own) {
    CHECK(is_name(label) && !label.starts_with("__"), "metric {}: no label name: {}", name, label);
    label_names.push_back(label);
  }

  const std::lock_guard lock(mutex);
  auto found = known.find(name);
  if (found == known.end()) {
    auto& family = builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
    found = known
                .emplace(name, Known{.family = &family,
                                     .help = std::string(help),
                                     .label_names = label_names,
                                     .buckets = buckets})
                .first;
  }
  auto& [family, known_help, known_names, known_buckets] = found->second;
  auto* const* const own_family = std::get_if<prometheus::Family<T>*>(&family);
  CHECK(own_family, "metric {} has another type", name);
  CHECK(known_help == help && known_names == label_names && known_buckets == buckets,
        "metric {} has another help text, other labels or other buckets", name);
  return (*own_family)->Add(own, arguments...);  // or the one that is there
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return Counter(
      &impl_->get<prometheus::Counter>(prometheus::BuildCounter(), name, help, labels, {}));
}

Gauge Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return Gauge(&impl_->get<prometheus::Gauge>(prometheus::BuildGauge(), name, help, labels, {}));
}

Histogram Registry::histogram(std::string_view name, std::string_view help,
                              const std::vector<double>& buckets, const Labels& labels) {
  CHECK(!buckets.empty() && std::ranges::is_sorted(buckets, std::less_equal<>()),
        "metric {}: buckets do not rise", name);
  return Histogram(&impl_->get<prometheus::Histogram>(prometheus::BuildHistogram(), name, help,
                                                      labels, buckets, buckets));
}

void Registry::remove_gauge(std::string_view name, const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->known.find(name);
  if (found == impl_->known.end()) return;
  auto* const* const family =
      std::get_if<prometheus::Family<prometheus::Gauge>*>(&found->second.family);
  CHECK(family, "metric {} is no gauge", name);
  const prometheus::Labels own(labels.begin(), labels.end());
  if ((*family)->Has(own)) (*family)->Remove(&(*family)->Add(own));
}

std::string Registry::render() const {
  auto families = impl_->registry.Collect();
  add_process_metrics(families);
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace searchsync::metrics
