#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace searchsync::model {

// A place in a text, counted from 1. {0, 0}: not known, as in what came from Kubernetes.
struct Position {
  int line = 0;
  int column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// One value of a YAML or JSON text, and where it stood. Mappings keep their order and have no key
// twice. The parsers bound the depth, so that recursion over a tree is safe.
struct Node {
  struct Entry;
  using Sequence = std::vector<Node>;
  using Mapping = std::vector<Entry>;

  // A number that is not an int64_t, as a JSON number was written: never rounded.
  struct Decimal {
    std::string text;
    friend bool operator==(const Decimal&, const Decimal&) = default;
  };

  std::variant<std::monostate, bool, int64_t, Decimal, std::string, Sequence, Mapping> value;
  Position position;

  bool is_null() const { return std::holds_alternative<std::monostate>(value); }
  const std::string* string() const { return std::get_if<std::string>(&value); }
  const Sequence* sequence() const { return std::get_if<Sequence>(&value); }
  const Mapping* mapping() const { return std::get_if<Mapping>(&value); }

  // The value of `key` if this is a mapping that has it, else null.
  const Node* find(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  Position position;  // of the key
  Node value;
};

// "a string", "the number 5", "an object": what a message says was found.
std::string describe(const Node& node);

// Compact JSON, keys in the order they have.
std::string to_json(const Node& node);

// Compact JSON, keys sorted by their bytes: equal for what differs only in order. For hashing.
std::string to_canonical_json(const Node& node);

}  // namespace searchsync::model
