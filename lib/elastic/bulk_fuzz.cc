// Whatever comes back: an outcome for each operation, or an error; never a crash.

#include <cstddef>
#include <cstdint>

#include "lib/base/check.h"
#include "lib/elastic/bulk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr int kStatuses[] = {200, 200, 200, 200, 200, 400, 401, 404, 409, 413, 429, 503};
  const int status = kStatuses[data[0] % std::size(kStatuses)];
  const size_t sent = 1 + data[1] % 5;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto outcomes = searchsync::elastic::parse_bulk_response(status, body, sent);
  if (!outcomes) return 0;
  CHECK(outcomes->size() == sent);
  for (const auto& outcome : *outcomes) {
    CHECK(outcome.reason.size() <= 1024);
    CHECK(outcome.outcome == searchsync::elastic::Outcome::kApplied || !outcome.reason.empty() ||
          outcome.status != 0);
  }
  return 0;
}
