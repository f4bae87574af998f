#include "query/partitions.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/elastic/readers.h"
#include "lib/http/client.h"
#include "lib/model/retention.h"
#include "query/time_range.h"

namespace searchsync::query {
namespace {

// With what else is in a request's first line, of which the engines take 4,096 bytes.
constexpr size_t kNamesBytesMax = 3'000;
// Others may call another partition the newest.
constexpr std::chrono::seconds kClocksDiffer{kClocksDifferMs / 1000};

// The text that the field has in all documents that fit. Empty: it is not said, or not a text.
std::string value_of(const model::Node& filter, std::string_view field) {
  const model::Node::Mapping* mapping = filter.mapping();
  if (mapping == nullptr || mapping->size() != 1) return "";
  const auto& [name, position, operand] = mapping->front();
  if (name == "and" && operand.sequence() != nullptr) {
    for (const auto& one : *operand.sequence()) {
      if (auto value = value_of(one, field); !value.empty()) return value;
    }
    return "";
  }
  const model::Node* asked = operand.find("field");
  const bool its = asked != nullptr && asked->string() != nullptr && *asked->string() == field;
  const model::Node* value = operand.find("value");
  if (name != "equals" || !its || value == nullptr || value->string() == nullptr) return "";
  return *value->string();
}

model::PartitioningSpec routed_exactly(model::PartitioningSpec spec, const FieldCatalog& catalog) {
  const Field* field = spec.routing ? catalog.find_declared(*spec.routing) : nullptr;
  const bool exact = field != nullptr && field->kind == FieldKind::kKeyword && field->exact;
  if (!exact) spec.routing.reset();
  return spec;
}

}  // namespace

Partitions::Partitions(std::string alias, model::PartitioningSpec spec, int32_t shards,
                       const FieldCatalog& catalog)
    : alias_(std::move(alias)), spec_(routed_exactly(std::move(spec), catalog)), shards_(shards) {
  CHECK(shards_ > 0);
}

Target Partitions::target(const Ask& ask, int64_t now_ms, const std::string& of) const {
  Target target{
      .names = names(ask, now_ms, of), .parameters = "&ignore_unavailable=true", .shards = shards_};
  if (const auto route = routing(ask); !route.empty()) {
    target.parameters += "&routing=" + http::percent_encode(route);
    target.shards = 1;
  }
  return target;
}

std::string Partitions::routing(const Ask& ask) const {
  if (!spec_.routing) return "";
  std::string value;
  for (const Clause& clause : ask.filters) {
    if (value.empty()) value = value_of(clause.filter, *spec_.routing);
  }
  // Several routes are written with commas between them.
  return value.contains(',') ? "" : value;
}

std::string Partitions::names(const Ask& ask, int64_t now_ms, const std::string& of) const {
  TimeRange range;
  for (const Clause& clause : ask.filters) {
    const TimeRange its = time_range(clause.filter, spec_.field, now_ms);
    range = {std::max(range.from, its.from), std::min(range.until, its.until)};
  }
  if (range == TimeRange{}) return all(of);
  const auto window = model::window_at(spec_.every, spec_.retain + model::kDropAfter,
                                       spec_.ahead + kClocksDiffer, now_ms);
  const auto periods = periods_within(spec_.every, range, window);
  if (!periods) return all(of);
  std::string names = name(of, elastic::kNoPartition);
  for (const auto period : *periods) {
    names += ',' + name(of, model::period_name(spec_.every, period));
  }
  return names.size() <= kNamesBytesMax ? names : all(of);
}

std::string Partitions::all(const std::string& of) const {
  return of == alias_ ? alias_ : of + "*";
}

std::string Partitions::name(const std::string& of, std::string_view period) const {
  if (of == alias_) return elastic::partition_alias(alias_, period);
  return period == elastic::kNoPartition ? of : fmt::format("{}-{}", of, period);
}

}  // namespace searchsync::query
