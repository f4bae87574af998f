#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace searchsync::model {

// An event's column must be one of these: a string's content, a number's digits, true or false.
struct ColumnCondition {
  std::string column;
  std::vector<std::string> values;
  friend bool operator==(const ColumnCondition&, const ColumnCondition&) = default;
};

enum class AggregateFunction {
  kCount,  // of events
  kSum,    // exact
  kMin,
  kMax,
  kFirst,
  kLast,
};

// A column of a group's row, computed of its events.
struct AggregateColumn {
  std::string name;
  AggregateFunction compute = AggregateFunction::kCount;
  std::optional<std::string> column;   // of the events; all but kCount
  std::optional<std::string> by;       // kFirst, kLast: a column with a time; none: as they arrive
  std::vector<ColumnCondition> where;  // all must hold
  friend bool operator==(const AggregateColumn&, const AggregateColumn&) = default;
};

// Of a column that counts or sums; both bounds inclusive.
struct RuleCondition {
  std::string column;
  std::optional<int64_t> minimum;
  std::optional<int64_t> maximum;
  friend bool operator==(const RuleCondition&, const RuleCondition&) = default;
};

struct DerivedRule {
  std::vector<RuleCondition> when;  // all must hold
  std::string value;
  bool sticks = false;  // it holds for good once it has held
  friend bool operator==(const DerivedRule&, const DerivedRule&) = default;
};

// Its value is that of the first rule that holds.
struct DerivedColumn {
  std::string name;
  std::vector<DerivedRule> rules;
  std::string otherwise;
  friend bool operator==(const DerivedColumn&, const DerivedColumn&) = default;
};

struct DedupeSpec {
  std::string by;  // a column of the events
  std::chrono::seconds window{300};
  int64_t ids_max = 1'000'000;  // remembered of one partition
  friend bool operator==(const DedupeSpec&, const DedupeSpec&) = default;
};

enum class EventHistory {
  kWhole,  // where the first events are gone from the topic nothing is counted
  kKept,   // those that are still there are counted
};

// The rows are groups of events: those that are equal in the binding's key.
struct AggregateSpec {
  std::vector<AggregateColumn> columns;
  std::vector<DerivedColumn> derived;
  std::optional<DedupeSpec> dedupe;
  std::chrono::milliseconds interval{1000};  // for how long counts are coalesced
  EventHistory history = EventHistory::kWhole;
  int32_t revision = 0;  // part of the table's name
  friend bool operator==(const AggregateSpec&, const AggregateSpec&) = default;
};

}  // namespace searchsync::model
