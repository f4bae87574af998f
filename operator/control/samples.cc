#include "operator/control/samples.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ranges>
#include <span>

namespace searchsync::control {
namespace {

// Of workers, and of those who aggregate.
constexpr std::string_view kHalted[] = {"searchsync_worker_binding_halted",
                                        "searchsync_aggregate_binding_halted"};
constexpr std::string_view kLagSeconds[] = {"searchsync_worker_lag_seconds",
                                            "searchsync_aggregate_lag_seconds"};
constexpr std::string_view kRows = "searchsync_worker_rows_total";
constexpr std::string_view kSnapshotComplete = "searchsync_capture_snapshot_complete";

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// Takes `name="value",…}` from the front of `rest`. False: it is not of that form.
bool take_labels(std::string_view& rest, Sample& sample) {
  while (!rest.starts_with('}')) {
    const auto equals = rest.find("=\"");
    if (equals == std::string_view::npos) return false;
    const std::string key(rest.substr(0, equals));
    rest.remove_prefix(equals + 2);
    std::string value;
    while (!rest.empty() && rest.front() != '"') {
      if (rest.front() == '\\' && rest.size() > 1) {
        rest.remove_prefix(1);
        value += rest.front() == 'n' ? '\n' : rest.front();
      } else {
        value += rest.front();
      }
      rest.remove_prefix(1);
    }
    if (rest.empty()) return false;
    rest.remove_prefix(1);
    if (rest.starts_with(',')) rest.remove_prefix(1);
    sample.labels[key] = std::move(value);
  }
  rest.remove_prefix(1);
  return true;
}

bool parse_line(std::string_view line, Sample& sample) {
  if (line.empty() || line.front() == '#') return false;
  const auto end = line.find_first_of("{ ");
  if (end == std::string_view::npos || end == 0) return false;
  sample.name = line.substr(0, end);
  auto rest = line.substr(end);
  if (rest.front() == '{') {
    rest.remove_prefix(1);
    if (!take_labels(rest, sample)) return false;
  }
  const std::string number(rest);
  char* stop = nullptr;
  sample.value = std::strtod(number.c_str(), &stop);
  return stop != number.c_str();
}

// What was counted; nothing if no counter can have got there.
double counted(const Sample& sample) {
  constexpr double kExactMax = int64_t{1} << 53;
  return sample.value >= 0 && sample.value <= kExactMax ? sample.value : 0;
}

std::string halt_reason(std::string_view reasons, std::string_view binding) {
  const auto name = fmt::format("binding {}: ", binding);
  for (const auto line : std::views::split(reasons, '\n')) {
    const std::string_view text(line);
    if (text.starts_with(name)) return std::string(text.substr(name.size()));
  }
  return "it reached errors.maxDeadLetters";
}

}  // namespace

std::string_view Sample::label(std::string_view key) const {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<Sample> parse_samples(std::string_view text) {
  std::vector<Sample> samples;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    Sample sample;
    if (parse_line(text.substr(0, end), sample)) samples.push_back(std::move(sample));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return samples;
}

void add_samples(const std::vector<Sample>& samples, std::string_view reasons,
                 plan::ObservedWorkload& workload, double& rows) {
  for (const auto& sample : samples) {
    const std::string binding(sample.label("binding"));
    if (is_one_of(sample.name, kHalted) && sample.value > 0) {
      workload.halts[binding] = halt_reason(reasons, binding);
    } else if (is_one_of(sample.name, kLagSeconds) && std::isfinite(sample.value)) {
      workload.lag_seconds = std::max(workload.lag_seconds.value_or(0), sample.value);
    } else if (sample.name == kRows) {
      rows += counted(sample);
    } else if (sample.name == kSnapshotComplete) {
      workload.snapshot_complete[std::string(sample.label("table"))] = sample.value > 0;
    }
  }
}

}  // namespace searchsync::control
