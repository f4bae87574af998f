#pragma once

// What is computed of the events of one group, compiled from a binding's `aggregate`: names are
// places, and what can be worked out once is.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/resources.h"

namespace searchsync::aggregate {

// An event's column must be one of these texts.
struct Condition {
  size_t input = 0;  // of Definition::inputs
  std::vector<std::string> texts;
};

struct Column {
  std::string name;
  std::string label;  // the name as a JSON key, with its colon
  model::AggregateFunction function = model::AggregateFunction::kCount;
  size_t input = 0;  // all but kCount
  std::optional<size_t> by;
  std::vector<Condition> where;
};

struct RuleCondition {
  size_t column = 0;  // of Definition::columns
  std::optional<int64_t> minimum;
  std::optional<int64_t> maximum;
};

struct Rule {
  std::vector<RuleCondition> when;
  std::string value;  // as JSON
  bool sticks = false;
};

// A column whose value is that of the first rule that holds.
struct Derived {
  std::string label;
  std::vector<Rule> rules;
  std::string otherwise;  // as JSON
};

struct Definition {
  // key, partition_key: columns of the events. spec: validated.
  Definition(const std::vector<std::string>& key, const std::vector<std::string>& partition_key,
             const model::AggregateSpec& spec);

  std::vector<std::string> inputs;  // the columns that are read of an event
  std::vector<size_t> key;          // of inputs
  std::vector<std::string> key_labels;
  std::vector<size_t> partition_key;
  std::vector<Column> columns;
  std::vector<Derived> derived;
  std::optional<size_t> event_id;  // of inputs; nothing: no event is taken for a duplicate
  std::chrono::milliseconds window{0};
  int64_t ids_max = 0;
  std::chrono::milliseconds interval{0};

 private:
  size_t input_of(const std::string& column);
};

}  // namespace searchsync::aggregate
