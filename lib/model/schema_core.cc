#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "lib/model/json.h"
#include "lib/model/schema_builder.h"

namespace searchsync::model::schema_core {
namespace {

bool outside(const Bounds& bounds, int64_t value) {
  return (bounds.minimum && value < *bounds.minimum) || (bounds.maximum && value > *bounds.maximum);
}

// "between 1 and 5 items", "at least 1 item". One of the bounds must be there.
std::string bounds_text(const Bounds& bounds, const std::function<std::string(int64_t)>& format) {
  if (bounds.minimum && bounds.maximum) {
    return fmt::format("between {} and {}", format(*bounds.minimum), format(*bounds.maximum));
  }
  return bounds.minimum ? "at least " + format(*bounds.minimum)
                        : "at most " + format(*bounds.maximum);
}

std::string decimal(int64_t value) {
  return std::to_string(value);
}

std::vector<std::string> field_names(const Type& type) {
  std::vector<std::string> names;
  for (const Field& field : type.fields) names.push_back(field.name);
  return names;
}

const Field* find_field(const Type& type, std::string_view name) {
  const auto found = std::find_if(type.fields.begin(), type.fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  return found == type.fields.end() ? nullptr : &*found;
}

void unknown_field(const Type& type, Reader& reader, const Node::Entry& entry) {
  const Reader::Step step(reader, entry.key, entry.value);
  std::string hint = did_you_mean(entry.key, field_names(type));
  if (hint.empty()) hint = fmt::format("; known are: {}", fmt::join(field_names(type), ", "));
  reader.fault(entry.position, fmt::format("unknown field `{}`{}", entry.key, hint));
}

// As the Kubernetes API treats it: null in a field that need not be there is no value at all. The
// exception is an enum with a value spelled Null, which YAML reads as null unless quoted.
bool is_absent(const Field& field, const Node& node) {
  return node.is_null() && field.presence == Presence::kOptional &&
         (field.type == nullptr || field.type->shape != Shape::kEnum ||
          std::none_of(field.type->values.begin(), field.type->values.end(),
                       [](const EnumValue& value) { return value.name == "Null"; }));
}

// What tells the items of a list apart, as text; empty if it has nothing to tell.
std::string identity(const Type& type, const Node& item) {
  const Node* node = type.unique == Unique::kKey ? item.find(type.list_key) : &item;
  return node == nullptr || node->is_null() ? "" : to_canonical_json(*node);
}

// path: below the node, joined by dots; what is not there is where the object around it is.
void fault_at(Reader& reader, const Node& node, std::string_view path, const std::string& message) {
  if (path.empty()) return reader.fault(node, message);
  const std::string_view name = path.substr(0, path.find('.'));
  path.remove_prefix(std::min(path.size(), name.size() + 1));
  const Node* found = node.find(name);
  const Node& next = found == nullptr ? Node{.value = {}, .position = node.position} : *found;
  const Reader::Step step(reader, name, next);
  fault_at(reader, next, path, message);
}

}  // namespace

std::optional<bool> read_boolean(Reader& reader, const Node& node) {
  if (const bool* value = std::get_if<bool>(&node.value)) return *value;
  reader.ill_typed(node, "true or false");
  return std::nullopt;
}

std::optional<int64_t> read_integer(const Type& type, Reader& reader, const Node& node) {
  const auto* value = std::get_if<int64_t>(&node.value);
  if (value == nullptr) {
    reader.ill_typed(node, "an integer " + bounds_text(type.bounds, decimal));
    return std::nullopt;
  }
  if (outside(type.bounds, *value)) {
    reader.fault(node, fmt::format("{} is out of range: expected an integer {}", *value,
                                   bounds_text(type.bounds, decimal)));
    return std::nullopt;
  }
  return *value;
}

const std::string* read_string(const Type& type, Reader& reader, const Node& node) {
  const std::string* text = node.string();
  if (text == nullptr) {
    const bool scalar = !node.is_null() && !node.sequence() && !node.mapping();
    reader.fault(node, fmt::format("expected a string, found {}{}", describe(node),
                                   scalar ? ": put it in quotes" : ""));
    return nullptr;
  }
  if (outside(type.bounds, static_cast<int64_t>(text->size()))) {
    const auto bytes = [](int64_t count) { return fmt::format("{}", count); };
    reader.fault(node, text->empty() ? "is empty: give it a value"
                                     : fmt::format("has {} bytes: expected {} bytes", text->size(),
                                                   bounds_text(type.bounds, bytes)));
    return nullptr;
  }
  return text;
}

std::optional<size_t> read_enum(const Type& type, Reader& reader, const Node& node) {
  std::vector<std::string> names;
  for (const EnumValue& value : type.values) names.push_back(value.name);
  const std::string* text = node.string();
  const std::string written = text != nullptr ? *text : node.is_null() ? "Null" : "";
  const auto found = std::find(names.begin(), names.end(), written);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  reader.fault(node, fmt::format("expected one of {}, found {}{}", fmt::join(names, ", "),
                                 describe(node), did_you_mean(written, names)));
  return std::nullopt;
}

std::optional<int64_t> read_duration(const Type& type, Reader& reader, const Node& node) {
  static const std::map<std::string_view, int64_t> kUnits = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  // More than anybody means, and far from where the product overflows.
  constexpr int64_t kCountMax = 100'000'000'000;
  const std::string* text = node.string();
  int64_t count = -1;
  std::string_view suffix;
  if (text != nullptr) {
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, count);
    suffix = std::string_view(parsed.ptr, static_cast<size_t>(end - parsed.ptr));
    if (parsed.ec != std::errc{}) count = -1;
  }
  const auto factor = kUnits.find(suffix);
  if (count < 0 || count > kCountMax || text->front() == '-' || factor == kUnits.end()) {
    reader.ill_typed(node, "a duration: a whole number and one of ms, s, m, h, d, such as 30s");
    return std::nullopt;
  }
  const int64_t milliseconds = count * factor->second;
  if (milliseconds % type.unit != 0) {
    reader.fault(node, fmt::format("{} is too fine: expected whole {}", *text,
                                   type.unit == 1000 ? "seconds" : "units"));
    return std::nullopt;
  }
  if (outside(type.bounds, milliseconds)) {
    reader.fault(node, fmt::format("{} is out of range: expected {}", *text,
                                   bounds_text(type.bounds, write_duration)));
    return std::nullopt;
  }
  return milliseconds;
}

void read_constant(const Type& type, Reader& reader, const Node& node) {
  const std::string* text = node.string();
  if (text == nullptr || *text != type.constant) {
    reader.ill_typed(node, fmt::format("`{}`", type.constant));
  }
}

void read_list(const Type& type, Reader& reader, const Node& node,
               const std::function<void(const Node&)>& item) {
  const Node::Sequence* items = node.sequence();
  if (items == nullptr) {
    const bool scalar = !node.is_null() && node.mapping() == nullptr;
    reader.ill_typed(node, scalar ? "a list; put the value in brackets" : "a list");
    return;
  }
  if (outside(type.bounds, static_cast<int64_t>(items->size()))) {
    reader.fault(node, fmt::format("has {} items: expected {}", items->size(),
                                   bounds_text(type.bounds, decimal)));
    return;
  }
  std::map<std::string, size_t> seen;
  for (size_t index = 0; index < items->size(); ++index) {
    const Node& one = (*items)[index];
    const Reader::Step step(reader, index, one);
    item(one);
    if (type.unique == Unique::kNothing) continue;
    const std::string what = identity(type, one);
    if (what.empty()) continue;
    const auto [first, fresh] = seen.try_emplace(what, index);
    if (!fresh) {
      reader.fault(one, fmt::format("{}{} is there twice, first as item {}: keep one of them",
                                    type.unique == Unique::kKey ? type.list_key + " " : "", what,
                                    first->second));
    }
  }
}

void read_object(const Type& type, Reader& reader, const Node& node, void* object) {
  const Node::Mapping* entries = node.mapping();
  if (entries == nullptr) {
    reader.ill_typed(node, fmt::format("an object with {}", fmt::join(field_names(type), ", ")));
    return;
  }
  for (const Node::Entry& entry : *entries) {
    const Field* field = find_field(type, entry.key);
    if (field == nullptr) {
      unknown_field(type, reader, entry);
    } else if (field->type != nullptr && !is_absent(*field, entry.value)) {
      const Reader::Step step(reader, entry.key, entry.value);
      field->read(reader, entry.value, object);
    }
  }
  for (const Field& field : type.fields) {
    if (field.presence == Presence::kRequired && node.find(field.name) == nullptr) {
      const Reader::Step step(reader, field.name, Node{});
      reader.fault(node, "is required: add it");
    }
  }
}

void check_rules(const Type& type, Reader& reader, const Node& node, const void* object) {
  for (const Rule& rule : type.rules) {
    const bool broken =
        (rule.holds && !rule.holds(object)) || (rule.holds_written && !rule.holds_written(node));
    if (broken) fault_at(reader, node, rule.path, rule.message);
  }
}

Node write_object(const Type& type, const void* object) {
  Node::Mapping mapping;
  for (const Field& field : type.fields) {
    if (!field.write) continue;
    if (std::optional<Node> value = field.write(object)) {
      mapping.push_back({field.name, {}, std::move(*value)});
    }
  }
  return {.value = std::move(mapping), .position = {}};
}

void read_union(const Type& type, Reader& reader, const Node& node, void* variant) {
  const Node::Mapping* entries = node.mapping();
  const std::string names = fmt::format("{}", fmt::join(field_names(type), ", "));
  if (entries == nullptr) {
    reader.ill_typed(node, "an object with exactly one of " + names);
    return;
  }
  std::vector<std::string> chosen;
  for (const Node::Entry& entry : *entries) {
    const Field* field = find_field(type, entry.key);
    if (field == nullptr) {
      unknown_field(type, reader, entry);
      continue;
    }
    const Reader::Step step(reader, entry.key, entry.value);
    field->read(reader, entry.value, variant);
    chosen.push_back(entry.key);
  }
  if (chosen.size() > 1) {
    reader.fault(node, fmt::format("expected exactly one of {}, found {}: keep one of them", names,
                                   fmt::join(chosen, " and ")));
  } else if (entries->empty()) {
    reader.fault(node, fmt::format("expected exactly one of {}, found none: add one", names));
  }
}

Node parse_written_json(const JsonText& json) {
  auto node = parse_json(json.text);
  CHECK(node.has_value(), "a JsonText does not hold JSON: {}", node.error().message);
  return std::move(*node);
}

}  // namespace searchsync::model::schema_core
