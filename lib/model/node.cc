#include "lib/model/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <type_traits>

#include "lib/base/utf8.h"

namespace searchsync::model {
namespace {

enum class Keys { kAsTheyAre, kSorted };

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append(std::string& out, const Node& node, Keys keys);

void append_mapping(std::string& out, const Node::Mapping& mapping, Keys keys) {
  std::vector<const Node::Entry*> entries;
  entries.reserve(mapping.size());
  for (const Node::Entry& entry : mapping) entries.push_back(&entry);
  if (keys == Keys::kSorted) {
    std::sort(entries.begin(), entries.end(),
              [](const Node::Entry* a, const Node::Entry* b) { return a->key < b->key; });
  }
  out += '{';
  for (const Node::Entry* entry : entries) {
    if (entry != entries.front()) out += ',';
    append_string(out, entry->key);
    out += ':';
    append(out, entry->value, keys);
  }
  out += '}';
}

void append_sequence(std::string& out, const Node::Sequence& sequence, Keys keys) {
  out += '[';
  for (const Node& item : sequence) {
    if (&item != &sequence.front()) out += ',';
    append(out, item, keys);
  }
  out += ']';
}

void append(std::string& out, const Node& node, Keys keys) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          out += "null";
        } else if constexpr (std::is_same_v<T, bool>) {
          out += value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, int64_t>) {
          out += std::to_string(value);
        } else if constexpr (std::is_same_v<T, Node::Decimal>) {
          out += value.text;
        } else if constexpr (std::is_same_v<T, std::string>) {
          append_string(out, value);
        } else if constexpr (std::is_same_v<T, Node::Sequence>) {
          append_sequence(out, value, keys);
        } else {
          append_mapping(out, value, keys);
        }
      },
      node.value);
}

// A message stays one line, whatever was written.
std::string quoted(const std::string& text) {
  constexpr size_t kShown = 60;
  std::string out;
  const std::string_view shown = cut_utf8(text, kShown);
  append_string(out, shown);
  if (shown.size() < text.size()) out += "…";
  return out;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  if (const Mapping* entries = mapping()) {
    for (const Entry& entry : *entries) {
      if (entry.key == key) return &entry.value;
    }
  }
  return nullptr;
}

std::string describe(const Node& node) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "nothing (null)";
        } else if constexpr (std::is_same_v<T, bool>) {
          return value ? "the boolean true" : "the boolean false";
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return fmt::format("the number {}", value);
        } else if constexpr (std::is_same_v<T, Node::Decimal>) {
          return fmt::format("the number {}", value.text.substr(0, 60));
        } else if constexpr (std::is_same_v<T, std::string>) {
          return "the string " + quoted(value);
        } else if constexpr (std::is_same_v<T, Node::Sequence>) {
          return "a list";
        } else {
          return "an object";
        }
      },
      node.value);
}

std::string to_json(const Node& node) {
  std::string out;
  append(out, node, Keys::kAsTheyAre);
  return out;
}

std::string to_canonical_json(const Node& node) {
  std::string out;
  append(out, node, Keys::kSorted);
  return out;
}

}  // namespace searchsync::model
