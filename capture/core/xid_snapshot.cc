#include "capture/core/xid_snapshot.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace searchsync::capture {
namespace {

bool take_number(std::string_view& text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

XidSnapshot::XidSnapshot(uint64_t xmin, uint64_t xmax, std::vector<uint64_t> in_progress)
    : xmin_(xmin), xmax_(xmax), in_progress_(std::move(in_progress)) {
  std::ranges::sort(in_progress_);
}

Result<XidSnapshot> XidSnapshot::parse(std::string_view text) {
  std::string_view rest = text;
  uint64_t xmin = 0;
  uint64_t xmax = 0;
  std::vector<uint64_t> in_progress;
  bool good =
      take_number(rest, xmin) && take(rest, ':') && take_number(rest, xmax) && take(rest, ':');
  while (good && !rest.empty()) {
    uint64_t xid = 0;
    good = take_number(rest, xid) && (rest.empty() || (take(rest, ',') && !rest.empty()));
    in_progress.push_back(xid);
  }
  if (!good || xmin > xmax) {
    return fail(ErrorCode::kMalformed,
                fmt::format("\"{}\" is no snapshot of the form xmin:xmax:xip,xip", text));
  }
  return XidSnapshot(xmin, xmax, std::move(in_progress));
}

bool XidSnapshot::sees(uint32_t xid) const {
  constexpr int64_t kEra = int64_t{1} << 32;
  int64_t distance = static_cast<int64_t>(xid) - static_cast<int64_t>(xmax_ & 0xFFFFFFFFu);
  if (distance > kEra / 2) distance -= kEra;
  if (distance < -kEra / 2) distance += kEra;
  if (distance >= 0) return false;
  const uint64_t full = xmax_ - static_cast<uint64_t>(-distance);
  return full < xmin_ || !std::ranges::binary_search(in_progress_, full);
}

}  // namespace searchsync::capture
