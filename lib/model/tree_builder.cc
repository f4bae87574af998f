#include "lib/model/tree_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::model {
namespace {

// The text of a scalar where it is a key; nothing for what cannot be one.
std::optional<std::string> key_text(const Node& node) {
  if (const std::string* text = node.string()) return *text;
  if (const auto* number = std::get_if<int64_t>(&node.value)) return std::to_string(*number);
  if (const auto* decimal = std::get_if<Node::Decimal>(&node.value)) return decimal->text;
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag ? "true" : "false";
  return std::nullopt;
}

size_t text_size(const Node& node) {
  if (const std::string* text = node.string()) return text->size();
  if (const auto* decimal = std::get_if<Node::Decimal>(&node.value)) return decimal->text.size();
  return 0;
}

int depth_of(const Node& node) {
  int deepest = 0;
  if (const Node::Sequence* items = node.sequence()) {
    for (const Node& item : *items) deepest = std::max(deepest, depth_of(item));
  } else if (const Node::Mapping* entries = node.mapping()) {
    for (const Node::Entry& entry : *entries) deepest = std::max(deepest, depth_of(entry.value));
  } else {
    return 0;
  }
  return deepest + 1;
}

}  // namespace

void TreeBuilder::add_problem(Position position, std::string message) {
  problems_.push_back({position, std::move(message)});
}

void TreeBuilder::fail(Position position, std::string message) {
  add_problem(position, std::move(message));
  failed_ = true;
}

bool TreeBuilder::pay(size_t text_bytes, Position position) {
  nodes_ += 1;
  text_bytes_ += text_bytes;
  if (nodes_ > limits_.nodes) {
    fail(position, fmt::format("more than {} values, counting what aliases repeat: split the file "
                               "or use fewer aliases",
                               limits_.nodes));
  } else if (text_bytes_ > limits_.text_bytes) {
    fail(position,
         fmt::format("more than {} bytes of text, counting what aliases repeat: split the file or "
                     "use fewer aliases",
                     limits_.text_bytes));
  }
  return !failed_;
}

bool TreeBuilder::charge(const Node& node) {
  if (!pay(text_size(node), node.position)) return false;
  if (const Node::Sequence* items = node.sequence()) {
    return std::all_of(items->begin(), items->end(),
                       [this](const Node& item) { return charge(item); });
  }
  if (const Node::Mapping* entries = node.mapping()) {
    return std::all_of(entries->begin(), entries->end(), [this](const Node::Entry& entry) {
      text_bytes_ += entry.key.size();
      return charge(entry.value);
    });
  }
  return true;
}

bool TreeBuilder::awaits_key() const {
  return !frames_.empty() && frames_.back().node.mapping() != nullptr &&
         !frames_.back().key.has_value() && !frames_.back().merging;
}

void TreeBuilder::merge_key() {
  CHECK(awaits_key());
  frames_.back().merging = true;
}

void TreeBuilder::scalar(Node node) {
  if (pay(text_size(node), node.position)) place(std::move(node));
}

void TreeBuilder::copy(const Node& node) {
  if (static_cast<int>(frames_.size()) + depth_of(node) > limits_.depth) {
    fail(node.position, fmt::format("nested more than {} deep through aliases", limits_.depth));
  }
  if (!failed_ && charge(node)) place(node);
}

void TreeBuilder::begin_sequence(Position position) {
  begin({.value = Node::Sequence{}, .position = position});
}

void TreeBuilder::begin_mapping(Position position) {
  begin({.value = Node::Mapping{}, .position = position});
}

void TreeBuilder::begin(Node node) {
  if (static_cast<int>(frames_.size()) >= limits_.depth) {
    fail(node.position, fmt::format("nested more than {} deep", limits_.depth));
    return;
  }
  if (pay(0, node.position)) frames_.push_back({.node = std::move(node), .key = {}, .merged = {}});
}

const Node* TreeBuilder::end() {
  if (failed_) return nullptr;
  CHECK(!frames_.empty());
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  if (frame.node.mapping() != nullptr) finish_mapping(frame);
  return place(std::move(frame.node));
}

const Node* TreeBuilder::place(Node node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return &root_;
  }
  Frame& frame = frames_.back();
  if (auto* items = std::get_if<Node::Sequence>(&frame.node.value)) {
    return &items->emplace_back(std::move(node));
  }
  return place_in_mapping(frame, std::move(node));
}

const Node* TreeBuilder::place_in_mapping(Frame& frame, Node node) {
  if (frame.merging) {
    frame.merging = false;
    return &frame.merged.emplace_back(std::move(node));
  }
  if (!frame.key) {
    frame.key = std::move(node);
    return &*frame.key;
  }
  const std::optional<std::string> key = key_text(*frame.key);
  const Position position = frame.key->position;
  frame.key.reset();
  if (!key) {
    add_problem(position, "a key must be text, not empty and not a list or an object");
    return nullptr;
  }
  auto& entries = std::get<Node::Mapping>(frame.node.value);
  return &entries.emplace_back(Node::Entry{*key, position, std::move(node)}).value;
}

// Drops entries whose key came before, says so, and then appends what is merged and not yet there.
void TreeBuilder::finish_mapping(Frame& frame) {
  Node::Mapping entries = std::move(std::get<Node::Mapping>(frame.node.value));
  Node::Mapping kept;
  kept.reserve(entries.size());
  std::unordered_map<std::string, Position> seen;
  seen.reserve(entries.size());
  for (Node::Entry& entry : entries) {
    const auto [first, fresh] = seen.try_emplace(entry.key, entry.position);
    if (fresh) {
      kept.push_back(std::move(entry));
    } else {
      const int line = first->second.line;
      add_problem(entry.position,
                  fmt::format("the key `{}` is there twice{}: keep one of them", entry.key,
                              line > 0 ? fmt::format(", first in line {}", line) : ""));
    }
  }
  const auto merge_from = [&](const Node& source) {
    const Node::Mapping* mapping = source.mapping();
    if (mapping == nullptr) {
      add_problem(source.position, "`<<` merges an object or a list of objects, nothing else");
      return;
    }
    for (const Node::Entry& entry : *mapping) {
      if (seen.try_emplace(entry.key, entry.position).second) kept.push_back(entry);
    }
  };
  for (const Node& merged : frame.merged) {
    if (const Node::Sequence* sources = merged.sequence()) {
      std::for_each(sources->begin(), sources->end(), merge_from);
    } else {
      merge_from(merged);
    }
  }
  frame.node.value = std::move(kept);
}

Node TreeBuilder::take() {
  CHECK(frames_.empty());
  return std::exchange(root_, Node{});
}

}  // namespace searchsync::model
