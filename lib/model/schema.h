#pragma once

// Types described at run time. One description of a struct's fields gives its strict parser with
// positions, its serialiser, its defaults, the reference page and the schema of the custom resource
// definition. schema_builder.h makes types.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/fault.h"
#include "lib/model/json.h"
#include "lib/model/node.h"

namespace searchsync::model {

// Collects faults and positions while one object is read, and knows the path it is at.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  // One step down the path, for as long as it lives.
  class Step {
   public:
    Step(Reader& reader, std::string_view name, const Node& node);
    Step(Reader& reader, size_t item, const Node& node);
    ~Step() { reader_.path_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reader& reader_;
    const size_t length_;
  };

  void fault(Position position, std::string message);
  void fault(const Node& node, std::string message) { fault(node.position, std::move(message)); }
  // "expected <expected>, found <what node is>"
  void ill_typed(const Node& node, std::string_view expected);

  std::vector<Fault> faults;
  Positions positions;

 private:
  void entered(const Node& node);

  const std::string file_;
  std::string path_;
};

enum class Presence { kOptional, kRequired };
enum class Mutability { kMutable, kImmutable };

enum class Shape {
  kBoolean,
  kInteger,
  kString,
  kEnum,
  kDuration,    // a string such as "30s"
  kTime,        // a string such as "2026-01-31T12:00:00Z"
  kJsonObject,  // an object of any content
  kConstant,    // a string with one value
  kList,
  kObject,
  kUnion,  // an object with exactly one of its fields
};

// Inclusive. Of an integer's value, a string's bytes, a list's items or a duration's milliseconds.
struct Bounds {
  std::optional<int64_t> minimum;
  std::optional<int64_t> maximum;
};

// What a string must look like: the whole of it.
struct Pattern {
  std::string expression;  // both ECMAScript and RE2
  std::string means;       // "a lowercase name", for messages
};

// What may not occur twice in a list.
enum class Unique {
  kNothing,
  kItems,  // scalars
  kKey,    // the items' field `list_key`
};

// Whether the order of a list's items says something: then no two people may write it together.
enum class Order { kIrrelevant, kMeant };

// What must hold of a value beyond the form of it, for the API server and for us.
struct Rule {
  std::string cel;      // over `self`, and `oldSelf` if it is about changes
  std::string message;  // what is wrong and what to do
  std::string path;     // of the field in `self` that it is about; empty: all of it
  // Takes the value. Null: validate() sees to it, or it is about changes.
  std::function<bool(const void*)> holds = nullptr;
  // Takes what is written, for a rule about what is left out.
  std::function<bool(const Node&)> holds_written = nullptr;
};

struct Type;

struct EnumValue {
  std::string name;
  std::string documentation;
};

struct Field {
  std::string name;
  std::string documentation;
  const Type* type = nullptr;  // null: accepted, not read, not written
  Presence presence = Presence::kOptional;
  Mutability mutability = Mutability::kMutable;
  std::optional<Node> default_value;  // absent: none, or `default_says`
  std::string default_says;           // a default that depends on other fields, in words

  // Both take the object that has the field.
  std::function<void(Reader&, const Node&, void*)> read;
  std::function<std::optional<Node>(const void*)> write;
};

// Immutable once its schema is built.
struct Type {
  Shape shape;
  std::string name;           // of an object, union or enum: "KafkaSpec"
  std::string documentation;  // of an object or union
  Bounds bounds;
  int64_t unit = 1;  // of a duration, in milliseconds: it is a multiple of it
  std::optional<Pattern> pattern;
  std::vector<EnumValue> values;  // of an enum; of a string: those there are by now
  std::string constant;
  std::vector<std::string> object_members;  // of a JSON object: what must be objects in it
  std::vector<Field> fields;                // of an object; of a union, its alternatives
  const Type* item = nullptr;               // of a list
  Unique unique = Unique::kNothing;
  std::string list_key;
  Order order = Order::kIrrelevant;  // of a list; one that may hold an item twice is always kMeant
  std::vector<Rule> rules;

  // Both take a pointer to a value of the C++ type this describes. `read` gives a fault for
  // whatever does not fit, and then leaves the value as it was, or read in part.
  std::function<void(Reader&, const Node&, void*)> read;
  std::function<Node(const void*)> write;
};

// A Type whose values are T.
template <class T>
struct Typed {
  const Type* type = nullptr;
};

template <class T>
struct Parsed {
  T value{};
  std::vector<Fault> faults;  // in the order of the text
  Positions positions;
};

template <class T>
Parsed<T> parse(const Typed<T>& typed, std::string_view file, const Node& node) {
  Parsed<T> parsed;
  Reader reader(file);
  typed.type->read(reader, node, &parsed.value);
  parsed.faults = std::move(reader.faults);
  parsed.positions = std::move(reader.positions);
  return parsed;
}

template <class T>
Node write(const Typed<T>& typed, const T& value) {
  return typed.type->write(&value);
}

// As parse(), of JSON. Errors: those of parse_json(); kInvalidArgument, with all faults, one a
// line.
template <class T>
Result<T> parse_json_as(const Typed<T>& typed, std::string_view json) {
  ASSIGN_OR_RETURN(const Node node, parse_json(json));
  Parsed<T> parsed = parse(typed, "", node);
  if (!parsed.faults.empty()) {
    return fail(ErrorCode::kInvalidArgument, to_string(parsed.faults));
  }
  return std::move(parsed.value);
}

// "30s", "24h": the largest unit that leaves a whole number.
std::string write_duration(int64_t milliseconds);

// Owns types, at addresses that do not change.
class Schema {
 public:
  Type& add(Shape shape, std::string name = "", std::string documentation = "");

 private:
  std::deque<Type> types_;
};

}  // namespace searchsync::model
