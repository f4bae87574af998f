// Whatever a process answers when asked for its metrics: what can be said of it stays sound.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "operator/control/samples.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace searchsync;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto samples = control::parse_samples(text);
  for (const auto& sample : samples) {
    CHECK(!sample.name.empty() && sample.name.find_first_of("{ \n") == std::string::npos);
  }
  plan::ObservedWorkload workload;
  double rows = 0;
  control::add_samples(samples, text, workload, rows);
  control::add_samples(samples, text, workload, rows);
  CHECK(std::isfinite(workload.lag_seconds.value_or(0)) && workload.lag_seconds.value_or(0) >= 0);
  CHECK(rows >= 0, "{}", rows);
  return 0;
}
