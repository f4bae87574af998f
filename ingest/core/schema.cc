#include "ingest/core/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/model/fault.h"
#include "worker/core/convert.h"

namespace searchsync::ingest {

EventSchema::EventSchema(const model::IngestedBinding& of)
    : binding(of.name), topic(of.source.topic.name), limits(of.source.limits) {
  for (const auto& one : of.source.columns) {
    Column column{.name = one.name,
                  .label = "",
                  .type = one.type,
                  .required = one.required,
                  .bytes_max = one.bytes_max,
                  .values = one.values,
                  .minimum = one.minimum,
                  .maximum = one.maximum};
    worker::append_json_string(one.name, column.label);
    column.label += ':';
    columns.push_back(std::move(column));
  }
  const auto place = [this](std::string_view name) {
    size_t hint = 0;
    const auto found = find(name, hint);
    CHECK(found, "binding {} has no column {}", binding, name);
    return *found;
  };
  if (of.source.event_id) event_id = place(*of.source.event_id);
  if (of.source.timestamp) timestamp = place(*of.source.timestamp);
  for (const auto filled : {event_id, timestamp}) {
    if (filled) columns[*filled].required = false;
  }
  for (const auto& name : of.key) key.push_back(place(name));
  for (const auto& name : of.source.partition_key) partition_key.push_back(place(name));
}

std::optional<size_t> EventSchema::find(std::string_view name, size_t& hint) const {
  for (size_t tried = 0; tried < columns.size(); ++tried) {
    const size_t at = (hint + tried) % columns.size();
    if (columns[at].name != name) continue;
    hint = at + 1;
    return at;
  }
  return std::nullopt;
}

std::string EventSchema::hint_for(std::string_view name) const {
  std::vector<std::string> known;
  for (const auto& column : columns) known.push_back(column.name);
  auto hint = model::did_you_mean(name, known);
  return hint.empty() ? fmt::format("; known are: {}", fmt::join(known, ", ")) : hint;
}

}  // namespace searchsync::ingest
