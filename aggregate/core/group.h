#pragma once

// One group: what its events have come to. Its encoded form goes with its row into the table's
// topic, so that the topic alone restores it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregate/core/definition.h"
#include "aggregate/core/event.h"
#include "aggregate/core/number.h"

namespace searchsync::aggregate {

inline constexpr size_t kGroupBytesMax = 60'000;  // encoded

// A group while it is looked at: decoded, changed, encoded again. Reused, so that its memory is.
class Group {
 public:
  explicit Group(const Definition& definition);

  // Of no event yet. text_keys: see Event.
  void clear(uint32_t text_keys = 0);
  // False if these are not bytes that encode() wrote for this definition: then it is as cleared.
  bool decode(std::string_view bytes);
  void encode(std::string& out) const;

  enum class Change {
    kNone,     // the row stays as it is
    kValues,   // of columns
    kDerived,  // of a derived column too
  };
  // offset: of the event, after through(). Errors: kLimit, and nothing has changed: a sum has
  // become too long, or all of it.
  Result<Change> apply(const Event& event, Offset offset);

  // The newest event that is in it; below 0: none.
  Offset through() const { return through_; }

  // As a JSON object: the key, the columns, the derived columns. key: its text.
  void append_row(std::string_view key, std::string& out) const;

 private:
  struct Cell {
    uint64_t count = 0;                       // kCount
    Number number;                            // kSum
    Scalar::Kind kind = Scalar::Kind::kNone;  // kMin, kMax, kFirst, kLast
    std::string text;
    int64_t time_us = 0;  // with `by`
  };

  // Both of one column.
  static bool replaces(const Column& column, const Taken& taken, const Cell& cell);
  static bool apply(const Column& column, const Taken& taken, Cell& cell);

  Result<void> prepare(const Event& event);
  bool holds(const Rule& rule) const;
  // Which rule a derived column has its value of; the number of rules: none.
  size_t rule_of(size_t derived) const;
  void stick();
  size_t bytes() const;

  const Definition& definition_;
  Offset through_{-1};
  uint32_t text_keys_ = 0;
  std::vector<Cell> cells_;                      // by Definition::columns
  std::vector<uint32_t> stuck_;                  // by Definition::derived: a bit for each rule
  std::vector<size_t> before_;                   // the rules before a change
  std::vector<std::pair<size_t, Number>> sums_;  // to be taken once all of them are possible
};

// The row of a key that no event was ever of: nothing counted, and what the rules make of that.
// key, text_keys: see Event.
std::string unseen_row(const Definition& definition, std::string_view key, uint32_t text_keys);

}  // namespace searchsync::aggregate
