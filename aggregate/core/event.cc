#include "aggregate/core/event.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>

#include "aggregate/core/partitioner.h"
#include "lib/base/time_text.h"
#include "worker/core/convert.h"
#include "worker/core/json_check.h"
#include "worker/core/message.h"

namespace searchsync::aggregate {
namespace {

namespace ondemand = simdjson::ondemand;
using model::AggregateFunction;

std::unexpected<Error> malformed(std::string message) {
  return fail(ErrorCode::kMalformed, std::move(message));
}

// As worker::append_key_part(), of a text.
void append_key_part(std::string_view text, size_t index, size_t columns, std::string& out) {
  constexpr char kSeparator = '\x1f', kEscape = '\x1e';
  if (index > 0) out += kSeparator;
  for (const char c : text) {
    if (columns > 1 && (c == kSeparator || c == kEscape)) out += kEscape;
    out += c;
  }
}

}  // namespace

struct EventReader::Impl {
  Impl(const Definition& of, Partition its, int32_t all)
      : definition(of), partition(its), partitions(all) {
    scalars.resize(of.inputs.size());
    taken.resize(of.columns.size());
  }

  Result<void> parse(std::string_view text);
  Result<void> read_field(ondemand::field field, size_t& hint);
  std::optional<size_t> find(ondemand::raw_json_string name, size_t hint) const;
  Result<void> read_key(Event& event);
  Result<void> check_place(const EventRecord& record);
  Result<void> take(size_t column);
  bool holds(const std::vector<Condition>& where) const;

  const Definition& definition;
  const Partition partition;
  const int32_t partitions;
  ondemand::parser parser;
  ondemand::document document;
  std::string padded;
  std::vector<Scalar> scalars;  // by Definition::inputs
  std::vector<Taken> taken;
  std::string group;
  std::string place;  // the record's key as it must be
};

// Fields come in the same order each time: the one after the last is tried first.
std::optional<size_t> EventReader::Impl::find(ondemand::raw_json_string name, size_t hint) const {
  const auto& inputs = definition.inputs;
  for (size_t tried = 0; tried < inputs.size(); ++tried) {
    const size_t at = hint + tried < inputs.size() ? hint + tried : hint + tried - inputs.size();
    if (name == std::string_view(inputs[at])) return at;
  }
  return std::nullopt;
}

Result<void> EventReader::Impl::read_field(ondemand::field field, size_t& hint) {
  const auto found = find(field.key(), hint);
  if (!found) return {};
  hint = *found + 1 < scalars.size() ? *found + 1 : 0;
  Scalar& scalar = scalars[*found];
  scalar = {};
  ondemand::value value = field.value();
  ondemand::json_type type;
  auto error = value.type().get(type);
  if (!error) {
    switch (type) {
      case ondemand::json_type::null:
        break;
      case ondemand::json_type::string:
        scalar.kind = Scalar::Kind::kText;
        error = value.get_string().get(scalar.text);
        break;
      case ondemand::json_type::number:
        scalar = {Scalar::Kind::kNumber, worker::scalar_token(value)};
        if (!worker::is_json_number(scalar.text)) error = simdjson::NUMBER_ERROR;
        break;
      case ondemand::json_type::boolean: {
        scalar = {Scalar::Kind::kBoolean, worker::scalar_token(value)};
        bool read = false;
        error = value.get_bool().get(read);
        break;
      }
      case ondemand::json_type::object:
      case ondemand::json_type::array:
        return malformed(fmt::format(
            "column {}: expected a text, a number or a boolean, got {}", definition.inputs[*found],
            type == ondemand::json_type::object ? "an object" : "an array"));
    }
  }
  if (!error) return {};
  return malformed(
      fmt::format("column {}: {}", definition.inputs[*found], simdjson::error_message(error)));
}

Result<void> EventReader::Impl::parse(std::string_view text) {
  std::ranges::fill(scalars, Scalar{});
  padded.assign(text);
  padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  ondemand::object object;
  auto error = parser.iterate(padded).get(document);
  if (!error) error = document.get_object().get(object);
  if (error) {
    return malformed(fmt::format("expected a JSON object, got {}: {}",
                                 text.empty() ? "nothing" : worker::excerpt(text),
                                 simdjson::error_message(error)));
  }
  size_t hint = 0;
  for (auto one : object) {
    ondemand::field field;
    if ((error = std::move(one).get(field))) break;
    RETURN_IF_ERROR(read_field(field, hint));
  }
  if (error) return malformed(simdjson::error_message(error));
  if (!worker::at_end(document)) {
    return malformed("expected one JSON object, got more behind it");
  }
  return {};
}

Result<void> EventReader::Impl::read_key(Event& event) {
  group.clear();
  const auto& key = definition.key;
  for (size_t i = 0; i < key.size(); ++i) {
    const Scalar& scalar = scalars[key[i]];
    if (scalar.kind == Scalar::Kind::kNone) {
      return malformed(
          fmt::format("column {} is null or missing: it is part of the key that events "
                      "are grouped by",
                      definition.inputs[key[i]]));
    }
    if (scalar.kind == Scalar::Kind::kText) event.text_keys |= 1U << i;
    append_key_part(scalar.text, i, key.size(), group);
  }
  if (group.empty() || group.size() > worker::kKeyBytesMax) {
    return malformed(fmt::format("the key has {} bytes; a document's id has 1 to {}", group.size(),
                                 worker::kKeyBytesMax));
  }
  event.group = group;
  return {};
}

// All events of a group must be in one partition, or there would be two rows of it. That is so if
// the record's key is made of columns of the group's key, and if it decides the partition.
Result<void> EventReader::Impl::check_place(const EventRecord& record) {
  const auto& columns = definition.partition_key;
  std::string_view expected;
  if (columns.size() == 1) {
    expected = scalars[columns.front()].text;
  } else {
    place.clear();
    char open = '[';
    for (const size_t column : columns) {
      place += open;
      worker::append_json_string(scalars[column].text, place);
      open = ',';
    }
    place += ']';
    expected = place;
  }
  if (record.key != expected) {
    return malformed(fmt::format(
        "the record's key is {}, expected {}: events that are aggregated need it, so that all of a "
        "group are in one partition",
        record.key ? worker::excerpt(*record.key) : "missing", worker::excerpt(expected)));
  }
  const auto right = partition_of_key(expected, partitions);
  if (right == partition.get()) return {};
  return malformed(fmt::format(
      "the record is in partition {} and its key {} belongs into {} of {}: its producer must use "
      "Kafka's default partitioner (murmur2), and the topic must never have been given more "
      "partitions",
      partition.get(), worker::excerpt(expected), right, partitions));
}

bool EventReader::Impl::holds(const std::vector<Condition>& where) const {
  return std::ranges::all_of(where, [this](const Condition& condition) {
    const Scalar& scalar = scalars[condition.input];
    return scalar.kind != Scalar::Kind::kNone &&
           std::ranges::any_of(condition.texts,
                               [&](const std::string& text) { return text == scalar.text; });
  });
}

Result<void> EventReader::Impl::take(size_t place_of) {
  const Column& column = definition.columns[place_of];
  Taken& out = taken[place_of];
  out.taken = false;
  if (!holds(column.where)) return {};
  if (column.function == AggregateFunction::kCount) {
    out.taken = true;
    return {};
  }
  out.value = scalars[column.input];
  if (out.value.kind == Scalar::Kind::kNone) return {};
  const auto& name = definition.inputs[column.input];
  if (out.value.text.size() > kValueBytesMax) {
    return malformed(fmt::format("column {} has {} bytes, at most {} can be kept", name,
                                 out.value.text.size(), kValueBytesMax));
  }
  const bool is_number = out.value.kind == Scalar::Kind::kNumber;
  const bool compares =
      column.function == AggregateFunction::kMin || column.function == AggregateFunction::kMax;
  if (column.function == AggregateFunction::kSum || (compares && is_number)) {
    const auto number = is_number ? Number::parse(out.value.text) : std::nullopt;
    if (!number) {
      return malformed(fmt::format(
          "column {}: expected a number with at most 19 digits before the point and 18 behind it, "
          "got {}",
          name, worker::excerpt(out.value.text)));
    }
    out.number = *number;
  }
  if (column.by) {
    const Scalar& time = scalars[*column.by];
    if (time.kind == Scalar::Kind::kNone) return {};
    const auto parsed = parse_rfc3339(time.text);
    if (!parsed) {
      return malformed(fmt::format("column {}: expected a time as 2026-01-31T12:00:00Z, got {}",
                                   definition.inputs[*column.by], worker::excerpt(time.text)));
    }
    out.time_us = parsed->time_since_epoch().count();
  }
  out.taken = true;
  return {};
}

EventReader::EventReader(const Definition& definition, Partition partition, int32_t partitions)
    : impl_(std::make_unique<Impl>(definition, partition, partitions)) {}

EventReader::~EventReader() = default;

Result<Event> EventReader::read(const EventRecord& record) {
  if (!record.value) {
    return malformed("the record has no value: what has happened cannot be deleted");
  }
  RETURN_IF_ERROR(impl_->parse(*record.value));
  Event event;
  RETURN_IF_ERROR(impl_->read_key(event));
  RETURN_IF_ERROR(impl_->check_place(record));
  if (const auto id = impl_->definition.event_id) {
    const Scalar& scalar = impl_->scalars[*id];
    if (scalar.kind == Scalar::Kind::kNone || scalar.text.empty()) {
      return malformed(fmt::format("column {} is null, missing or empty: it tells events apart",
                                   impl_->definition.inputs[*id]));
    }
    event.id = scalar.text;
  }
  for (size_t i = 0; i < impl_->taken.size(); ++i) RETURN_IF_ERROR(impl_->take(i));
  event.taken = impl_->taken;
  return event;
}

}  // namespace searchsync::aggregate
