#pragma once

// Makes the types of schema.h from C++ types: pointers to members say where values go, the
// default-constructed struct says the defaults.

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/check.h"
#include "lib/model/resources.h"
#include "lib/model/schema.h"

namespace searchsync::model {

// What is the same for every C++ type. Each gives a fault and returns nothing if the node does not
// fit.
namespace schema_core {

std::optional<bool> read_boolean(Reader& reader, const Node& node);
std::optional<int64_t> read_integer(const Type& type, Reader& reader, const Node& node);
const std::string* read_string(const Type& type, Reader& reader, const Node& node);
std::optional<size_t> read_enum(const Type& type, Reader& reader, const Node& node);
// In milliseconds.
std::optional<int64_t> read_duration(const Type& type, Reader& reader, const Node& node);
void read_constant(const Type& type, Reader& reader, const Node& node);
// Calls `item` for each item of a list that may be one.
void read_list(const Type& type, Reader& reader, const Node& node,
               const std::function<void(const Node&)>& item);
void read_object(const Type& type, Reader& reader, const Node& node, void* object);
// The rules of an object that has been read, and is well-formed.
void check_rules(const Type& type, Reader& reader, const Node& node, const void* object);
Node write_object(const Type& type, const void* object);
void read_union(const Type& type, Reader& reader, const Node& node, void* variant);
Node parse_written_json(const JsonText& json);

}  // namespace schema_core

template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

Typed<bool> boolean_type(Schema& schema);
Typed<std::string> string_type(Schema& schema, Bounds bytes,
                               std::optional<Pattern> pattern = std::nullopt,
                               std::vector<Rule> rules = {});
// object_members: see Type; for the API server, validate() sees to it for us.
Typed<JsonText> json_object_type(Schema& schema, std::vector<std::string> object_members = {});
Typed<std::chrono::sys_seconds> time_type(Schema& schema);
// A string that has one of these values, by now: whoever reads it takes others too.
Typed<std::string> open_enum_type(Schema& schema, std::string name, Bounds bytes,
                                  std::vector<EnumValue> values);

template <class T>
Typed<T> integer_type(Schema& schema, Bounds bounds) {
  CHECK(bounds.minimum.has_value() && bounds.maximum.has_value());
  CHECK(std::in_range<T>(*bounds.minimum) && std::in_range<T>(*bounds.maximum));
  Type& type = schema.add(Shape::kInteger);
  type.bounds = bounds;
  type.read = [&type](Reader& reader, const Node& node, void* into) {
    if (const auto value = schema_core::read_integer(type, reader, node)) {
      *static_cast<T*>(into) = static_cast<T>(*value);
    }
  };
  type.write = [](const void* value) {
    return Node{.value = static_cast<int64_t>(as<T>(value)), .position = {}};
  };
  return {&type};
}

// bounds: milliseconds.
template <class Duration>
Typed<Duration> duration_type(Schema& schema, Bounds bounds) {
  using std::chrono::milliseconds;
  Type& type = schema.add(Shape::kDuration);
  type.bounds = bounds;
  type.unit = milliseconds(Duration(1)).count();
  type.read = [&type](Reader& reader, const Node& node, void* into) {
    if (const auto value = schema_core::read_duration(type, reader, node)) {
      *static_cast<Duration*>(into) = std::chrono::duration_cast<Duration>(milliseconds(*value));
    }
  };
  type.write = [](const void* value) {
    const milliseconds length = as<Duration>(value);
    return Node{.value = write_duration(length.count()), .position = {}};
  };
  return {&type};
}

template <class E>
struct Enumerator {
  E value;
  std::string name;
  std::string documentation;
};

template <class E>
Typed<E> enum_type(Schema& schema, std::string name, std::vector<Enumerator<E>> enumerators) {
  Type& type = schema.add(Shape::kEnum, std::move(name));
  std::vector<E> values;
  for (Enumerator<E>& one : enumerators) {
    values.push_back(one.value);
    type.values.push_back({std::move(one.name), std::move(one.documentation)});
  }
  type.read = [&type, values](Reader& reader, const Node& node, void* into) {
    if (const auto index = schema_core::read_enum(type, reader, node)) {
      *static_cast<E*>(into) = values[*index];
    }
  };
  type.write = [&type, values](const void* value) {
    size_t index = 0;
    while (index < values.size() && values[index] != as<E>(value)) ++index;
    CHECK(index < values.size(), "{} has a value without a name", type.name);
    return Node{.value = type.values[index].name, .position = {}};
  };
  return {&type};
}

struct ListOptions {
  Unique unique = Unique::kNothing;
  std::string key;  // with Unique::kKey
  Order order = Order::kIrrelevant;
};

template <class T>
Typed<std::vector<T>> list_type(Schema& schema, Typed<T> item, Bounds items,
                                ListOptions options = {}) {
  Type& type = schema.add(Shape::kList);
  type.bounds = items;
  type.item = item.type;
  type.unique = options.unique;
  type.list_key = std::move(options.key);
  type.order = options.unique == Unique::kNothing ? Order::kMeant : options.order;
  type.read = [&type](Reader& reader, const Node& node, void* into) {
    auto& list = *static_cast<std::vector<T>*>(into);
    list.clear();
    schema_core::read_list(type, reader, node, [&](const Node& one) {
      list.emplace_back();
      type.item->read(reader, one, &list.back());
    });
  };
  type.write = [&type](const void* value) {
    Node::Sequence sequence;
    for (const T& one : as<std::vector<T>>(value)) sequence.push_back(type.item->write(&one));
    return Node{.value = std::move(sequence), .position = {}};
  };
  return {&type};
}

// A Named with the same text as what it wraps.
template <class Name, class T>
Typed<Name> named_type(Schema& schema, Typed<T> inner) {
  Type& type = schema.add(inner.type->shape);
  type.bounds = inner.type->bounds;
  type.pattern = inner.type->pattern;
  type.rules = inner.type->rules;
  type.read = [inner](Reader& reader, const Node& node, void* into) {
    T value{};
    inner.type->read(reader, node, &value);
    *static_cast<Name*>(into) = Name(std::move(value));
  };
  type.write = [inner](const void* value) { return inner.type->write(&as<Name>(value).get()); };
  return {&type};
}

// Whether a field is written that has its default.
enum class Written { kAlways, kIfNotDefault };

struct FieldOptions {
  Presence presence = Presence::kOptional;
  Mutability mutability = Mutability::kMutable;
  std::string default_says = "";  // see Field
  Written written = Written::kAlways;
};

inline FieldOptions required() {
  return {.presence = Presence::kRequired};
}
inline FieldOptions immutable() {
  return {.mutability = Mutability::kImmutable};
}

// Describes a struct, or any type of which a field's place is known.
template <class Owner>
class ObjectBuilder {
 public:
  ObjectBuilder(Schema& schema, std::string name, std::string documentation)
      : schema_(schema),
        type_(schema.add(Shape::kObject, std::move(name), std::move(documentation))) {
    read_with({});
    type_.write = [&type = type_](const void* object) {
      return schema_core::write_object(type, object);
    };
  }

  template <class T>
  ObjectBuilder& field(std::string name, T Owner::*member, Typed<T> type, std::string documentation,
                       FieldOptions options = {}) {
    return place<T>(
        std::move(name), [member](Owner& owner) -> T& { return owner.*member; }, type,
        std::move(documentation), std::move(options));
  }

  // A field that need not be there.
  template <class T>
  ObjectBuilder& field(std::string name, std::optional<T> Owner::*member, Typed<T> type,
                       std::string documentation) {
    Field& field = add(std::move(name), type.type, std::move(documentation), {});
    field.read = [type, member](Reader& reader, const Node& node, void* owner) {
      type.type->read(reader, node, &(static_cast<Owner*>(owner)->*member).emplace());
    };
    field.write = [type, member](const void* owner) -> std::optional<Node> {
      const std::optional<T>& value = as<Owner>(owner).*member;
      if (!value) return std::nullopt;
      return type.type->write(&*value);
    };
    return *this;
  }

  // A field with no object of its own in C++: it holds all of the owner.
  ObjectBuilder& self(std::string name, Typed<Owner> type, std::string documentation) {
    return place<Owner>(
        std::move(name), [](Owner& owner) -> Owner& { return owner; }, type,
        std::move(documentation), required());
  }

  // A field that always has the same text.
  ObjectBuilder& constant(std::string name, std::string_view value, std::string documentation) {
    Type& type = schema_.add(Shape::kConstant);
    type.constant = value;
    Field& field = add(std::move(name), &type, std::move(documentation), required());
    field.read = [&type](Reader& reader, const Node& node, void*) {
      schema_core::read_constant(type, reader, node);
    };
    field.write = [&type](const void*) { return Node{.value = type.constant, .position = {}}; };
    return *this;
  }

  // A field that is accepted and neither read nor written.
  ObjectBuilder& ignored(std::string name, std::string documentation) {
    add(std::move(name), nullptr, std::move(documentation), {});
    return *this;
  }

  // Called when an object has been read: fills in the defaults that depend on other fields.
  ObjectBuilder& complete(void (*completion)(Owner&)) {
    read_with(completion);
    return *this;
  }

  // See Rule. holds: null where validate() sees to it.
  ObjectBuilder& rule(Rule rule, bool (*holds)(const Owner&) = nullptr) {
    if (holds != nullptr) {
      rule.holds = [holds](const void* object) { return holds(as<Owner>(object)); };
    }
    type_.rules.push_back(std::move(rule));
    return *this;
  }

  Typed<Owner> build() const { return {&type_}; }

 private:
  Field& add(std::string name, const Type* type, std::string documentation, FieldOptions options) {
    return type_.fields.emplace_back(Field{.name = std::move(name),
                                           .documentation = std::move(documentation),
                                           .type = type,
                                           .presence = options.presence,
                                           .mutability = options.mutability,
                                           .default_value = std::nullopt,
                                           .default_says = std::move(options.default_says),
                                           .read = nullptr,
                                           .write = nullptr});
  }

  template <class T, class Accessor>
  ObjectBuilder& place(std::string name, Accessor accessor, Typed<T> type,
                       std::string documentation, FieldOptions options) {
    const Written written = options.written;
    Field& field = add(std::move(name), type.type, std::move(documentation), std::move(options));
    field.read = [type, accessor](Reader& reader, const Node& node, void* owner) {
      type.type->read(reader, node, &accessor(*static_cast<Owner*>(owner)));
    };
    field.write = [type, accessor, written](const void* owner) -> std::optional<Node> {
      // The accessor only finds the place; nothing is written to it.
      const T& value = accessor(const_cast<Owner&>(as<Owner>(owner)));
      if (written == Written::kIfNotDefault) {
        Owner defaults{};
        if (value == accessor(defaults)) return std::nullopt;
      }
      return type.type->write(&value);
    };
    if (field.presence == Presence::kOptional && field.default_says.empty()) {
      const Owner defaults{};
      field.default_value = field.write(&defaults);
    }
    return *this;
  }

  void read_with(void (*completion)(Owner&)) {
    type_.read = [&type = type_, completion](Reader& reader, const Node& node, void* object) {
      const size_t faults = reader.faults.size();
      schema_core::read_object(type, reader, node, object);
      if (completion != nullptr) completion(*static_cast<Owner*>(object));
      if (reader.faults.size() == faults) schema_core::check_rules(type, reader, node, object);
    };
  }

  Schema& schema_;
  Type& type_;
};

// Describes a std::variant as an object with exactly one of several fields.
template <class Variant>
class UnionBuilder {
 public:
  UnionBuilder(Schema& schema, std::string name, std::string documentation)
      : type_(schema.add(Shape::kUnion, std::move(name), std::move(documentation))) {
    type_.read = [&type = type_](Reader& reader, const Node& node, void* variant) {
      schema_core::read_union(type, reader, node, variant);
    };
    type_.write = [&type = type_](const void* variant) {
      return schema_core::write_object(type, variant);
    };
  }

  template <class T>
  UnionBuilder& alternative(std::string name, Typed<T> type, std::string documentation) {
    Field& field = type_.fields.emplace_back();
    field.name = std::move(name);
    field.documentation = std::move(documentation);
    field.type = type.type;
    field.read = [type](Reader& reader, const Node& node, void* variant) {
      type.type->read(reader, node, &static_cast<Variant*>(variant)->template emplace<T>());
    };
    field.write = [type](const void* variant) -> std::optional<Node> {
      const T* value = std::get_if<T>(&as<Variant>(variant));
      if (value == nullptr) return std::nullopt;
      return type.type->write(value);
    };
    return *this;
  }

  Typed<Variant> build() const {
    CHECK(type_.fields.size() == std::variant_size_v<Variant>, "{} lacks a case", type_.name);
    return {&type_};
  }

 private:
  Type& type_;
};

}  // namespace searchsync::model
