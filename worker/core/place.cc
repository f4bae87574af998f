#include "worker/core/place.h"

#include <fmt/format.h>

#include <charconv>

#include "lib/base/check.h"
#include "worker/core/bytes.h"

namespace searchsync::worker {
namespace {

// Of the years 1 to 9999, as model::read_time().
constexpr int64_t kLeastMs = -62'135'596'800'000;
constexpr int64_t kMostMs = 253'402'300'799'999;

// Of a time as the engines read it in a field of type date: a text, or milliseconds since 1970.
std::optional<int64_t> time_of(std::string_view fragment) {
  if (fragment.size() >= 2 && fragment.front() == '"') {
    return model::read_time(fragment.substr(1, fragment.size() - 2));
  }
  int64_t ms = 0;
  const char* const end = fragment.data() + fragment.size();
  const auto parsed = std::from_chars(fragment.data(), end, ms);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end;
  if (!whole || ms < kLeastMs || ms > kMostMs) return std::nullopt;
  return ms;
}

}  // namespace

std::optional<Place> place_of(const model::PartitionPlan& plan, const TupleView& root) {
  const auto time = time_of(root.slot(plan.time));
  if (!time) return std::nullopt;
  Place place{.period = model::period_of(plan.every, *time), .routing = {}};
  if (!plan.routing) return place;
  const auto routing = root.slot(*plan.routing);
  if (append_scalar_text(routing, place.routing)) return place;
  const bool absent = routing.empty() || routing == "null";
  return absent ? std::optional(place) : std::nullopt;
}

std::string why_no_place(const model::PartitionPlan& plan, const TupleView& root) {
  const auto time = root.slot(plan.time);
  if (!time_of(time)) return fmt::format("it has no time: {}", time);
  return fmt::format("it is not routed by one value: {}", root.slot(plan.routing.value()));
}

std::string encode_left(const std::vector<Left>& left) {
  std::string out;
  for (const auto& [place, since] : left) {
    append_integer(out, since.get());
    append_integer(out, place.period.get());
    append_integer(out, static_cast<uint32_t>(place.routing.size()));
    out += place.routing;
  }
  return out;
}

std::vector<Left> decode_left(std::string_view bytes) {
  std::vector<Left> left;
  ByteReader reader(bytes);
  while (!reader.rest().empty()) {
    Left one;
    one.since = Offset(reader.integer<int64_t>());
    one.place.period = model::Period(reader.integer<int32_t>());
    one.place.routing = reader.bytes(reader.integer<uint32_t>());
    CHECK(reader.ok(), "the state holds what was written to it");
    left.push_back(std::move(one));
  }
  return left;
}

}  // namespace searchsync::worker
