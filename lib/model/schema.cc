#include "lib/model/schema.h"

#include <fmt/core.h>

#include "lib/base/time_text.h"
#include "lib/model/pattern.h"
#include "lib/model/schema_builder.h"

namespace searchsync::model {

Reader::Step::Step(Reader& reader, std::string_view name, const Node& node)
    : reader_(reader), length_(reader.path_.size()) {
  if (!reader.path_.empty()) reader.path_ += '.';
  reader.path_ += name;
  reader.entered(node);
}

Reader::Step::Step(Reader& reader, size_t item, const Node& node)
    : reader_(reader), length_(reader.path_.size()) {
  reader.path_ += fmt::format("[{}]", item);
  reader.entered(node);
}

void Reader::entered(const Node& node) {
  if (node.position != Position{}) positions[path_] = node.position;
}

void Reader::fault(Position position, std::string message) {
  faults.push_back({.file = file_,
                    .line = position.line,
                    .column = position.column,
                    .object = "",
                    .path = path_,
                    .message = std::move(message)});
}

void Reader::ill_typed(const Node& node, std::string_view expected) {
  fault(node, fmt::format("expected {}, found {}", expected, describe(node)));
}

Type& Schema::add(Shape shape, std::string name, std::string documentation) {
  Type& type = types_.emplace_back();
  type.shape = shape;
  type.name = std::move(name);
  type.documentation = std::move(documentation);
  return type;
}

std::string write_duration(int64_t milliseconds) {
  constexpr int64_t kSecond = 1000;
  constexpr int64_t kMinute = 60 * kSecond;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  if (milliseconds == 0) return "0s";
  // One day is written 24h, as people do.
  if (milliseconds % kDay == 0 && milliseconds > kDay)
    return fmt::format("{}d", milliseconds / kDay);
  if (milliseconds % kHour == 0) return fmt::format("{}h", milliseconds / kHour);
  if (milliseconds % kMinute == 0) return fmt::format("{}m", milliseconds / kMinute);
  if (milliseconds % kSecond == 0) return fmt::format("{}s", milliseconds / kSecond);
  return fmt::format("{}ms", milliseconds);
}

Typed<bool> boolean_type(Schema& schema) {
  Type& type = schema.add(Shape::kBoolean);
  type.read = [](Reader& reader, const Node& node, void* into) {
    if (const auto value = schema_core::read_boolean(reader, node)) {
      *static_cast<bool*>(into) = *value;
    }
  };
  type.write = [](const void* value) { return Node{.value = as<bool>(value), .position = {}}; };
  return {&type};
}

Typed<std::string> string_type(Schema& schema, Bounds bytes, std::optional<Pattern> pattern,
                               std::vector<Rule> rules) {
  CHECK(bytes.maximum.has_value(), "every string has a limit");
  Type& type = schema.add(Shape::kString);
  type.bounds = bytes;
  type.pattern = std::move(pattern);
  type.rules = std::move(rules);
  const auto matches = compile_pattern(type.pattern ? type.pattern->expression : "");
  type.read = [&type, matches](Reader& reader, const Node& node, void* into) {
    const std::string* text = schema_core::read_string(type, reader, node);
    if (text == nullptr) return;
    if (type.pattern && !matches(*text)) {
      reader.ill_typed(node, type.pattern->means);
    } else {
      *static_cast<std::string*>(into) = *text;
    }
  };
  type.write = [](const void* value) {
    return Node{.value = as<std::string>(value), .position = {}};
  };
  return {&type};
}

Typed<std::string> open_enum_type(Schema& schema, std::string name, Bounds bytes,
                                  std::vector<EnumValue> values) {
  Type& type = schema.add(Shape::kString, std::move(name));
  type.bounds = bytes;
  type.values = std::move(values);
  type.read = [&type](Reader& reader, const Node& node, void* into) {
    if (const std::string* text = schema_core::read_string(type, reader, node)) {
      *static_cast<std::string*>(into) = *text;
    }
  };
  type.write = [](const void* value) {
    return Node{.value = as<std::string>(value), .position = {}};
  };
  return {&type};
}

Typed<std::chrono::sys_seconds> time_type(Schema& schema) {
  Type& type = schema.add(Shape::kTime);
  type.read = [](Reader& reader, const Node& node, void* into) {
    const std::string* text = node.string();
    const auto time = text == nullptr ? std::nullopt : parse_rfc3339(*text);
    if (time) {
      *static_cast<std::chrono::sys_seconds*>(into) =
          std::chrono::floor<std::chrono::seconds>(*time);
    } else {
      reader.ill_typed(node, "a time such as 2026-01-31T12:00:00Z");
    }
  };
  type.write = [](const void* value) {
    return Node{.value = format_time(as<std::chrono::sys_seconds>(value)), .position = {}};
  };
  return {&type};
}

Typed<JsonText> json_object_type(Schema& schema, std::vector<std::string> object_members) {
  Type& type = schema.add(Shape::kJsonObject);
  type.object_members = std::move(object_members);
  type.read = [](Reader& reader, const Node& node, void* into) {
    if (node.mapping() == nullptr) {
      reader.ill_typed(node, "an object");
    } else {
      // Sorted, as an API server keeps it: names made of it are the same in a folder.
      static_cast<JsonText*>(into)->text = to_canonical_json(node);
    }
  };
  type.write = [](const void* value) {
    return schema_core::parse_written_json(as<JsonText>(value));
  };
  return {&type};
}

}  // namespace searchsync::model
