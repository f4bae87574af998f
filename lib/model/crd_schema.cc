#include "lib/model/crd_schema.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "lib/base/check.h"

namespace searchsync::model {
namespace {

// A whole number and a unit; with as many digits as read_duration() takes, a product that fits.
constexpr std::string_view kDuration = "^[0-9]{1,11}(ms|s|m|h|d)$";
constexpr int64_t kDurationSizeMin = 2;
constexpr int64_t kDurationSizeMax = 13;

// What every integer is below.
constexpr int64_t kInteger = std::numeric_limits<int64_t>::max();

// What a rule is refused for, as the API conventions name it. Not FieldValueDuplicate: then the API
// server leaves the message out.
enum class Reason { kInvalid, kForbidden };

Node text(std::string value) {
  return {.value = std::move(value), .position = {}};
}

Node truth(bool value) {
  return {.value = value, .position = {}};
}

Node texts(const std::vector<std::string>& values) {
  Node::Sequence sequence;
  for (const std::string& value : values) sequence.push_back(text(value));
  return {.value = std::move(sequence), .position = {}};
}

// A mapping in the order in which it is made.
class Mapping {
 public:
  Mapping& add(std::string key, Node value) {
    entries_.push_back({std::move(key), {}, std::move(value)});
    return *this;
  }
  Mapping& add(std::string key, std::string value) { return add(std::move(key), text(value)); }
  Mapping& add_number(std::string key, std::optional<int64_t> value) {
    if (value) add(std::move(key), Node{.value = *value, .position = {}});
    return *this;
  }
  bool empty() const { return entries_.empty(); }
  Node take() { return {.value = std::move(entries_), .position = {}}; }

 private:
  Node::Mapping entries_;
};

std::string sentence(std::string words) {
  if (words.front() >= 'a' && words.front() <= 'z') {
    words.front() = static_cast<char>(words.front() - 'a' + 'A');
  }
  return words + ".";
}

std::string range(const Bounds& bounds) {
  CHECK(bounds.minimum && bounds.maximum, "every duration has limits");
  return fmt::format("from {} to {}", write_duration(*bounds.minimum),
                     write_duration(*bounds.maximum));
}

void append(std::string& out, std::string_view more) {
  if (more.empty() || out.find(more) != out.npos) return;
  if (!out.empty()) out += ' ';
  out += more;
}

// What a person has to know of a value, beyond its field's own words.
std::string explain(const Type& type) {
  std::string out = type.documentation;
  if (type.pattern) append(out, sentence(type.pattern->means));
  if (type.shape == Shape::kDuration) append(out, sentence("a duration " + range(type.bounds)));
  for (const EnumValue& value : type.values) {
    out += fmt::format("{}- {}: {}", out.empty() ? "" : "\n", value.name, value.documentation);
  }
  return out;
}

std::string explain(const Field& field) {
  std::string out = field.documentation;
  if (field.mutability == Mutability::kImmutable) append(out, "Cannot be changed.");
  if (!field.default_says.empty()) append(out, sentence("default: " + field.default_says));
  const std::string of_type = explain(*field.type);
  if (of_type.starts_with('-')) return out + "\n" + of_type;
  append(out, of_type);
  return out;
}

// The whole of a string.
std::string anchored(const Pattern& pattern) {
  return pattern.expression.find('|') == std::string::npos
             ? fmt::format("^{}$", pattern.expression)
             : fmt::format("^({})$", pattern.expression);
}

// A string of CEL in which nothing is escaped.
std::string raw(std::string_view text) {
  CHECK(text.find('\'') == text.npos, "a pattern without single quotes");
  return fmt::format("r'{}'", text);
}

// May a text that passes be longer in bytes than in characters?
bool may_be_wide(const Type& type) {
  const bool narrow = type.pattern && type.pattern->expression.find("[^") == std::string::npos;
  return type.shape == Shape::kString && !narrow;
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

class Rules {
 public:
  void add(std::string cel, std::string message, std::string path = "",
           Reason reason = Reason::kInvalid) {
    Mapping rule;
    rule.add("rule", std::move(cel)).add("message", std::move(message));
    if (!path.empty()) rule.add("fieldPath", "." + path);
    if (reason == Reason::kForbidden) rule.add("reason", "FieldValueForbidden");
    rules_.push_back(rule.take());
  }

  void add_to(Mapping& schema) {
    if (rules_.empty()) return;
    schema.add("x-kubernetes-validations", Node{.value = std::move(rules_), .position = {}});
  }

 private:
  Node::Sequence rules_;
};

class Generator {
 public:
  explicit Generator(Defaults defaults) : defaults_(defaults) {}

  Node schema(const Type& type, std::string description, const Field* field = nullptr) {
    Mapping out;
    if (!description.empty()) out.add("description", std::move(description));
    out.add("type", std::string(type_name(type)));
    if (field != nullptr) add_default(out, type, *field);
    Rules rules;
    add_shape(out, type, rules);
    for (const Rule& rule : type.rules) rules.add(rule.cel, rule.message, rule.path);
    if (field != nullptr) add_immutability(*field, rules);
    rules.add_to(out);
    return out.take();
  }

 private:
  static std::string_view type_name(const Type& type) {
    switch (type.shape) {
      case Shape::kBoolean:
        return "boolean";
      case Shape::kInteger:
        return "integer";
      case Shape::kString:
      case Shape::kEnum:
      case Shape::kDuration:
      case Shape::kTime:
      case Shape::kConstant:
        return "string";
      case Shape::kList:
        return "array";
      case Shape::kJsonObject:
      case Shape::kObject:
      case Shape::kUnion:
        return "object";
    }
    return "";
  }

  void add_default(Mapping& out, const Type& type, const Field& field) const {
    if (defaults_ == Defaults::kLeftOut || !field.default_value) return;
    const Node& value = *field.default_value;
    if (value.sequence() != nullptr && value.sequence()->empty()) return;
    if (type.shape != Shape::kObject) {
      out.add("default", value);
    } else {
      const auto needed = [](const Field& inner) { return inner.presence == Presence::kRequired; };
      CHECK(std::none_of(type.fields.begin(), type.fields.end(), needed),
            "{} has a default and a field without", field.name);
      out.add("default", Mapping().take());
    }
  }

  // A field that may be absent could also come and go: that is for a rule of the object around it.
  void add_immutability(const Field& field, Rules& rules) const {
    if (field.mutability == Mutability::kMutable) return;
    if (field.presence == Presence::kOptional && !field.default_value) return;
    rules.add("self == oldSelf",
              "cannot be changed: create another resource with the new value, then delete this one",
              "", Reason::kForbidden);
  }

  void add_shape(Mapping& out, const Type& type, Rules& rules) {
    switch (type.shape) {
      case Shape::kBoolean:
        return;
      case Shape::kInteger:
        out.add_number("minimum", type.bounds.minimum);
        if (type.bounds.maximum < kInteger) out.add_number("maximum", type.bounds.maximum);
        return;
      case Shape::kString:
        return add_string(out, type, rules);
      case Shape::kEnum:
        return add_enum(out, type);
      case Shape::kDuration:
        return add_duration(out, type, rules);
      case Shape::kTime:
        out.add("format", "date-time");
        return;
      case Shape::kConstant:
        out.add("enum", texts({type.constant}));
        return;
      case Shape::kList:
        return add_list(out, type, rules);
      case Shape::kJsonObject:
        return add_json(out, type);
      case Shape::kObject:
        return add_fields(out, type);
      case Shape::kUnion:
        return add_union(out, type, rules);
    }
  }

  void add_string(Mapping& out, const Type& type, Rules& rules) const {
    if (type.bounds.minimum > 0) out.add_number("minLength", type.bounds.minimum);
    out.add_number("maxLength", type.bounds.maximum);
    if (type.pattern) {
      const std::string pattern = anchored(*type.pattern);
      out.add("pattern", pattern);
      rules.add(fmt::format("self.matches({})", raw(pattern)), "expected " + type.pattern->means);
    }
    // A status is ours to write.
    if (may_be_wide(type) && defaults_ == Defaults::kFilled) {
      rules.add(fmt::format("bytes(self).size() <= {}", *type.bounds.maximum),
                fmt::format("is longer than {} bytes: shorten it", *type.bounds.maximum));
    }
  }

  static void add_enum(Mapping& out, const Type& type) {
    std::vector<std::string> names;
    for (const EnumValue& value : type.values) names.push_back(value.name);
    out.add("enum", texts(names));
  }

  static void add_duration(Mapping& out, const Type& type, Rules& rules) {
    out.add_number("minLength", kDurationSizeMin).add_number("maxLength", kDurationSizeMax);
    out.add("pattern", std::string(kDuration));
    rules.add(fmt::format("self.matches({}) && [int(self.find('[0-9]+')) * {{'ms': 1, 's': 1000, "
                          "'m': 60000, 'h': 3600000, 'd': 86400000}}[self.find('[a-z]+')]]"
                          ".all(ms, ms >= {} && ms <= {}{})",
                          raw(kDuration), *type.bounds.minimum, *type.bounds.maximum,
                          type.unit > 1 ? fmt::format(" && ms % {} == 0", type.unit) : ""),
              fmt::format("expected a duration {}: a whole number and one of ms, s, m, h, d, such "
                          "as {}",
                          range(type.bounds), write_duration(*type.bounds.maximum)));
  }

  void add_list(Mapping& out, const Type& type, Rules& rules) {
    if (type.bounds.minimum > 0) out.add_number("minItems", type.bounds.minimum);
    out.add_number("maxItems", type.bounds.maximum);
    out.add("items", schema(*type.item, explain(*type.item)));
    if (type.order == Order::kMeant || type.unique == Unique::kNothing) {
      out.add("x-kubernetes-list-type", "atomic");
      const std::string key = type.unique == Unique::kKey ? "." + type.list_key : "";
      if (type.unique != Unique::kNothing) {
        rules.add(fmt::format("self.all(x, self.exists_one(y, y{0} == x{0}))", key),
                  fmt::format("has {} twice: keep one of them",
                              key.empty() ? "an item" : "a " + type.list_key));
      }
    } else if (type.unique == Unique::kItems) {
      out.add("x-kubernetes-list-type", "set");
    } else {
      out.add("x-kubernetes-list-type", "map");
      out.add("x-kubernetes-list-map-keys", texts({type.list_key}));
    }
  }

  // What is in it is not looked at, but for the form of some members.
  static void add_json(Mapping& out, const Type& type) {
    Mapping members;
    for (const std::string& name : type.object_members) {
      Mapping member;
      member.add("type", "object").add("x-kubernetes-preserve-unknown-fields", truth(true));
      members.add(name, member.take());
    }
    if (!members.empty()) out.add("properties", members.take());
    out.add("x-kubernetes-preserve-unknown-fields", truth(true));
  }

  Node properties(const Type& type) {
    Mapping out;
    for (const Field& field : type.fields) {
      if (field.type != nullptr) {
        out.add(field.name, schema(*field.type, explain(field), &field));
      }
    }
    return out.take();
  }

  void add_fields(Mapping& out, const Type& type) {
    std::vector<std::string> needed;
    for (const Field& field : type.fields) {
      if (field.presence == Presence::kRequired) needed.push_back(field.name);
    }
    if (!needed.empty()) out.add("required", texts(needed));
    Node fields = properties(type);
    if (!fields.mapping()->empty()) out.add("properties", std::move(fields));
  }

  void add_union(Mapping& out, const Type& type, Rules& rules) {
    out.add("properties", properties(type));
    const std::vector<std::string> names = names_of(type.fields);
    rules.add(
        fmt::format("[has(self.{})].exists_one(x, x)", fmt::join(names, "), has(self.")),
        fmt::format("expected exactly one of {}: add one, or keep one", fmt::join(names, ", ")));
  }

  const Defaults defaults_;
};

}  // namespace

Node open_api_schema(const Type& type, Defaults defaults) {
  return Generator(defaults).schema(type, explain(type));
}

Node resource_schema(const Type& resource, const Type& status) {
  Mapping properties;
  for (const Field& field : resource.fields) {
    if (field.name == "spec") {
      properties.add("spec", Generator(Defaults::kFilled).schema(*field.type, explain(field)));
    } else if (field.name == "status") {
      properties.add("status", open_api_schema(status, Defaults::kLeftOut));
    } else if (field.name == "metadata") {
      // What rules may be about.
      Mapping name;
      name.add("name", Mapping().add("type", "string").take());
      properties.add("metadata",
                     Mapping().add("type", "object").add("properties", name.take()).take());
    } else {
      properties.add(
          field.name,
          Mapping().add("description", field.documentation).add("type", "string").take());
    }
  }
  Mapping out;
  out.add("description", resource.documentation).add("type", "object");
  out.add("required", texts({"spec"}));
  out.add("properties", properties.take());
  Rules rules;
  for (const Rule& rule : resource.rules) rules.add(rule.cel, rule.message, rule.path);
  rules.add_to(out);
  return out.take();
}

}  // namespace searchsync::model
