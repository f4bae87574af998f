#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/plan/observed.h"

namespace searchsync::control {

// One line of the Prometheus text format.
struct Sample {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;

  std::string_view label(std::string_view key) const;  // "" if it has none
};

// Lines that are not samples are left out. Pure.
// Source: prometheus.io, "Exposition formats", text format 0.0.4.
std::vector<Sample> parse_samples(std::string_view text);

// Adds what one process says of itself to what is known of its workload. `reasons` is why it is not
// ready, a line "name: reason" each; `rows` gets the rows it has read so far.
void add_samples(const std::vector<Sample>& samples, std::string_view reasons,
                 plan::ObservedWorkload& workload, double& rows);

}  // namespace searchsync::control
