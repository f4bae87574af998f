#include "aggregate/core/definition.h"

#include <algorithm>

#include "lib/base/check.h"
#include "worker/core/convert.h"

namespace searchsync::aggregate {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  worker::append_json_string(text, out);
  return out;
}

std::string label_of(std::string_view name) {
  return json_string(name) + ":";
}

Derived compile(const model::DerivedColumn& of, const model::AggregateSpec& spec) {
  Derived derived{.label = label_of(of.name), .rules = {}, .otherwise = json_string(of.otherwise)};
  for (const auto& one : of.rules) {
    Rule rule{.when = {}, .value = json_string(one.value), .sticks = one.sticks};
    for (const auto& condition : one.when) {
      const auto column =
          std::ranges::find(spec.columns, condition.column, &model::AggregateColumn::name);
      CHECK(column != spec.columns.end(), "no column {}", condition.column);
      rule.when.push_back({.column = static_cast<size_t>(column - spec.columns.begin()),
                           .minimum = condition.minimum,
                           .maximum = condition.maximum});
    }
    derived.rules.push_back(std::move(rule));
  }
  return derived;
}

}  // namespace

Definition::Definition(const std::vector<std::string>& key_columns,
                       const std::vector<std::string>& partition_columns,
                       const model::AggregateSpec& spec)
    : interval(spec.interval) {
  for (const auto& name : key_columns) {
    key.push_back(input_of(name));
    key_labels.push_back(label_of(name));
  }
  for (const auto& name : partition_columns) partition_key.push_back(input_of(name));
  for (const auto& one : spec.columns) {
    Column column{.name = one.name, .label = label_of(one.name), .function = one.compute};
    if (one.column) column.input = input_of(*one.column);
    if (one.by) column.by = input_of(*one.by);
    for (const auto& condition : one.where) {
      column.where.push_back({input_of(condition.column), condition.values});
    }
    columns.push_back(std::move(column));
  }
  for (const auto& one : spec.derived) derived.push_back(compile(one, spec));
  if (!spec.dedupe) return;
  event_id = input_of(spec.dedupe->by);
  window = spec.dedupe->window;
  ids_max = spec.dedupe->ids_max;
}

size_t Definition::input_of(const std::string& column) {
  const auto found = std::ranges::find(inputs, column);
  if (found != inputs.end()) return static_cast<size_t>(found - inputs.begin());
  inputs.push_back(column);
  return inputs.size() - 1;
}

}  // namespace searchsync::aggregate
