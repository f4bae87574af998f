#include "aggregate/core/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "worker/core/convert.h"

namespace searchsync::aggregate {
namespace {

using model::AggregateFunction;

constexpr uint64_t kForm = 1;  // of the encoded bytes

bool is_value(AggregateFunction function) {
  return function != AggregateFunction::kCount && function != AggregateFunction::kSum;
}

void append_scalar(Scalar::Kind kind, std::string_view text, std::string& out) {
  if (kind == Scalar::Kind::kNone) {
    out += "null";
  } else if (kind == Scalar::Kind::kText) {
    worker::append_json_string(text, out);
  } else {
    out += text;
  }
}

// The texts of several columns, out of the text of a key; see worker::append_key_part().
void append_key_columns(const Definition& definition, std::string_view key, uint32_t text_keys,
                        std::string& out) {
  constexpr char kSeparator = '\x1f', kEscape = '\x1e';
  const size_t columns = definition.key_labels.size();
  const auto append = [&](size_t column, std::string_view text) {
    if (column > 0) out += ',';
    out += definition.key_labels[column];
    const bool is_text = (text_keys >> column & 1) != 0;
    append_scalar(is_text ? Scalar::Kind::kText : Scalar::Kind::kNumber, text, out);
  };
  if (columns == 1) return append(0, key);
  std::string part;
  size_t column = 0;
  for (size_t i = 0; i <= key.size(); ++i) {
    if (i == key.size() || key[i] == kSeparator) {
      append(column++, part);
      part.clear();
      continue;
    }
    if (key[i] == kEscape && i + 1 < key.size()) ++i;
    part += key[i];
  }
}

}  // namespace

Group::Group(const Definition& definition)
    : definition_(definition),
      cells_(definition.columns.size()),
      stuck_(definition.derived.size()),
      before_(definition.derived.size()) {}

void Group::clear(uint32_t text_keys) {
  through_ = Offset(-1);
  text_keys_ = text_keys;
  for (auto& cell : cells_) {
    cell.count = 0;
    cell.number = {};
    cell.kind = Scalar::Kind::kNone;
    cell.text.clear();
    cell.time_us = 0;
  }
  std::ranges::fill(stuck_, 0);
}

void Group::encode(std::string& out) const {
  append_varint(out, kForm);
  append_varint(out, static_cast<Uint128>(through_.get() + 1));
  append_varint(out, text_keys_);
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Column& column = definition_.columns[i];
    const Cell& cell = cells_[i];
    if (column.function == AggregateFunction::kCount) {
      append_varint(out, cell.count);
    } else if (column.function == AggregateFunction::kSum) {
      cell.number.encode(out);
    } else {
      append_varint(out, static_cast<Uint128>(cell.kind));
      if (cell.kind == Scalar::Kind::kNone) continue;
      append_varint(out, cell.text.size());
      out += cell.text;
      if (column.by) append_signed(out, cell.time_us);
    }
  }
  for (const uint32_t stuck : stuck_) append_varint(out, stuck);
}

bool Group::decode(std::string_view bytes) {
  clear();
  VarintReader reader(bytes);
  bool ok = reader.integer() == kForm;
  through_ = Offset(static_cast<int64_t>(reader.integer()) - 1);
  text_keys_ = static_cast<uint32_t>(reader.integer());
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Column& column = definition_.columns[i];
    Cell& cell = cells_[i];
    if (column.function == AggregateFunction::kCount) {
      cell.count = reader.integer();
    } else if (column.function == AggregateFunction::kSum) {
      cell.number = Number::decode(reader);
    } else {
      const uint64_t kind = reader.integer();
      ok = ok && kind <= static_cast<uint64_t>(Scalar::Kind::kBoolean);
      if (!ok || kind == 0) continue;
      cell.kind = static_cast<Scalar::Kind>(kind);
      cell.text = reader.bytes();
      if (column.by) cell.time_us = static_cast<int64_t>(reader.signed_wide());
    }
  }
  for (auto& stuck : stuck_) stuck = static_cast<uint32_t>(reader.integer());
  if (ok && reader.at_end()) return true;
  clear();
  return false;
}

// All that may be refused, before anything is changed.
Result<void> Group::prepare(const Event& event) {
  sums_.clear();
  size_t more = 0;
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Taken& taken = event.taken[i];
    const Column& column = definition_.columns[i];
    if (!taken.taken || column.function == AggregateFunction::kCount) continue;
    if (column.function != AggregateFunction::kSum) {
      more += taken.value.text.size();
      continue;
    }
    const auto sum = Number::sum(cells_[i].number, taken.number);
    if (!sum) {
      return fail(ErrorCode::kLimit,
                  fmt::format("column {}: the sum would have more than 19 digits before the point",
                              column.name));
    }
    sums_.emplace_back(i, *sum);
  }
  if (more == 0 || bytes() + more <= kGroupBytesMax) return {};
  return fail(ErrorCode::kLimit,
              fmt::format("the values of its group would have more than {} bytes", kGroupBytesMax));
}

Result<Group::Change> Group::apply(const Event& event, Offset offset) {
  RETURN_IF_ERROR(prepare(event));
  const bool fresh = through_.get() < 0;
  if (fresh) text_keys_ = event.text_keys;
  through_ = offset;
  for (size_t i = 0; i < before_.size(); ++i) before_[i] = rule_of(i);
  bool changed = fresh || !sums_.empty();
  for (const auto& [column, sum] : sums_) cells_[column].number = sum;
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Taken& taken = event.taken[i];
    if (taken.taken && apply(definition_.columns[i], taken, cells_[i])) changed = true;
  }
  if (!changed) return Change::kNone;
  stick();
  for (size_t i = 0; i < before_.size(); ++i) {
    if (fresh || before_[i] != rule_of(i)) return Change::kDerived;
  }
  return Change::kValues;
}

bool Group::apply(const Column& column, const Taken& taken, Cell& cell) {
  if (column.function == AggregateFunction::kCount) {
    ++cell.count;
    return true;
  }
  if (!is_value(column.function) || !replaces(column, taken, cell)) return false;
  cell.kind = taken.value.kind;
  cell.text = taken.value.text;
  cell.time_us = taken.time_us;
  return true;
}

// Numbers are less than texts, and booleans less than both.
bool Group::replaces(const Column& column, const Taken& taken, const Cell& cell) {
  if (cell.kind == Scalar::Kind::kNone) return true;
  switch (column.function) {
    case AggregateFunction::kCount:
    case AggregateFunction::kSum:
      return false;
    case AggregateFunction::kFirst:
      return column.by && taken.time_us < cell.time_us;
    case AggregateFunction::kLast:
      return !column.by || taken.time_us >= cell.time_us;
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      break;
  }
  const auto rank = [](Scalar::Kind kind) {
    return kind == Scalar::Kind::kText ? 2 : kind == Scalar::Kind::kNumber ? 1 : 0;
  };
  auto order = rank(taken.value.kind) <=> rank(cell.kind);
  if (order == 0 && cell.kind == Scalar::Kind::kNumber) {
    order = taken.number.compare(Number::parse(cell.text).value_or(Number()));
  } else if (order == 0) {
    order = taken.value.text <=> std::string_view(cell.text);
  }
  return column.function == AggregateFunction::kMin ? order < 0 : order > 0;
}

bool Group::holds(const Rule& rule) const {
  return std::ranges::all_of(rule.when, [this](const RuleCondition& condition) {
    const Cell& cell = cells_[condition.column];
    const bool counts = definition_.columns[condition.column].function == AggregateFunction::kCount;
    const auto compare = [&](int64_t bound) -> std::strong_ordering {
      if (!counts) return cell.number.compare(bound);
      return bound < 0 ? std::strong_ordering::greater
                       : cell.count <=> static_cast<uint64_t>(bound);
    };
    return (!condition.minimum || compare(*condition.minimum) >= 0) &&
           (!condition.maximum || compare(*condition.maximum) <= 0);
  });
}

size_t Group::rule_of(size_t derived) const {
  const auto& rules = definition_.derived[derived].rules;
  for (size_t i = 0; i < rules.size(); ++i) {
    if ((stuck_[derived] >> i & 1) != 0 || holds(rules[i])) return i;
  }
  return rules.size();
}

// A rule that sticks holds for good once it has held, also behind one that gives the value.
void Group::stick() {
  for (size_t d = 0; d < stuck_.size(); ++d) {
    const auto& rules = definition_.derived[d].rules;
    for (size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].sticks && holds(rules[i])) stuck_[d] |= 1U << i;
    }
  }
}

// About.
size_t Group::bytes() const {
  size_t bytes = 64;
  for (const auto& cell : cells_) bytes += 32 + cell.text.size();
  return bytes;
}

void Group::append_row(std::string_view key, std::string& out) const {
  out += '{';
  append_key_columns(definition_, key, text_keys_, out);
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    out += ',';
    out += definition_.columns[i].label;
    switch (definition_.columns[i].function) {
      case AggregateFunction::kCount:
        fmt::format_to(std::back_inserter(out), "{}", cell.count);
        break;
      case AggregateFunction::kSum:
        cell.number.append_to(out);
        break;
      case AggregateFunction::kMin:
      case AggregateFunction::kMax:
      case AggregateFunction::kFirst:
      case AggregateFunction::kLast:
        append_scalar(cell.kind, cell.text, out);
        break;
    }
  }
  for (size_t d = 0; d < definition_.derived.size(); ++d) {
    const Derived& derived = definition_.derived[d];
    const size_t rule = rule_of(d);
    out += ',';
    out += derived.label;
    out += rule < derived.rules.size() ? derived.rules[rule].value : derived.otherwise;
  }
  out += '}';
}

std::string unseen_row(const Definition& definition, std::string_view key, uint32_t text_keys) {
  Group group(definition);
  group.clear(text_keys);
  std::string row;
  group.append_row(key, row);
  return row;
}

}  // namespace searchsync::aggregate
