#pragma once

// The keys of a partition's state. Each starts with its partition and a letter for its table.

#include <string>
#include <string_view>

#include "lib/base/named.h"
#include "lib/model/pipeline.h"
#include "worker/core/bytes.h"

namespace searchsync::worker {

// A row held in this partition whose lookups make edges: a root, a child of a root, or the copy of
// a row that was looked up.
struct Holder {
  enum class Kind : char { kRoot = 'r', kChild = 'c', kLookup = 'l' };
  Kind kind = Kind::kRoot;
  model::BindingId binding = 0;
  uint8_t side = 0;       // kChild
  std::string_view root;  // kChild
  std::string_view key;
};

class StateKeys {
 public:
  explicit StateKeys(Partition partition) {
    append_integer(prefix_, static_cast<uint16_t>(partition.get()));
  }

  std::string all() const { return prefix_; }
  // A row owned here.
  std::string row(model::BindingId binding, std::string_view key) const {
    return table('r', binding) += key;
  }
  std::string subscribers(model::BindingId binding, std::string_view key) const {
    auto out = table('s', binding);
    append_short_string(out, key);
    return out;
  }
  std::string subscriber(model::BindingId binding, std::string_view key, Partition who) const {
    auto out = subscribers(binding, key);
    append_integer(out, who.get());
    return out;
  }
  std::string children(std::string_view root) const {
    std::string out = prefix_ + 'c';
    append_short_string(out, root);
    return out;
  }
  std::string child(std::string_view root, model::BindingId binding, uint8_t side,
                    std::string_view key) const {
    auto out = children(root);
    append_integer(out, binding);
    append_integer(out, side);
    return out += key;
  }
  // The copy of a row that documents here refer to.
  std::string lookup(model::BindingId binding, std::string_view key) const {
    return table('l', binding) += key;
  }
  // Who refers to a looked-up row, in this partition.
  std::string edges(model::BindingId target, std::string_view key) const {
    auto out = table('e', target);
    append_short_string(out, key);
    return out;
  }
  std::string edge(model::BindingId target, std::string_view key, const Holder& holder) const {
    auto out = edges(target, key);
    out += static_cast<char>(holder.kind);
    append_integer(out, holder.binding);
    if (holder.kind == Holder::Kind::kChild) {
      append_integer(out, holder.side);
      append_short_string(out, holder.root);
    }
    return out += holder.key;
  }
  // A change of a looked-up row whose documents are still to be written.
  std::string fan_outs() const { return prefix_ + 'f'; }
  std::string fan_out(model::BindingId target, std::string_view key) const {
    return table('f', target) += key;
  }
  // What a batch of messages caused and is not acknowledged yet, by the batch's number.
  std::string pendings() const { return prefix_ + 'p'; }
  std::string pending(uint64_t batch) const {
    auto out = pendings();
    append_integer(out, batch);
    return out;
  }
  // The places that a document has left and may still be in.
  std::string left(std::string_view root) const { return (prefix_ + 'v') += root; }
  // How far the log is applied, who leads, whose log it is.
  std::string progress() const { return prefix_ + 'm'; }
  // Who led before. Missing in state that is older than it.
  std::string leadership() const { return prefix_ + 'n'; }

 private:
  std::string table(char letter, model::BindingId binding) const {
    std::string out;
    out.reserve(64);
    out += prefix_;
    out += letter;
    append_integer(out, binding);
    return out;
  }

  std::string prefix_;
};

// The length of what scans of a key's table begin with: children of one root, subscribers or users
// of one row. 0 for a table that is not scanned in parts.
inline size_t scanned_prefix(std::string_view key) {
  constexpr size_t kLetter = sizeof(uint16_t);
  if (key.size() <= kLetter) return 0;
  const char table = key[kLetter];
  if (table != 'c' && table != 's' && table != 'e') return 0;
  const size_t text = kLetter + 1 + (table == 'c' ? 0 : sizeof(model::BindingId));
  if (key.size() < text + sizeof(uint16_t)) return 0;
  const size_t length = text + sizeof(uint16_t) + ByteReader(key.substr(text)).integer<uint16_t>();
  return length <= key.size() ? length : 0;
}

// Reads the holder back from an edge's key, of which `prefix` bytes are edges(target, key).
inline Holder parse_edge(std::string_view edge, size_t prefix) {
  ByteReader reader(edge.substr(prefix));
  Holder holder;
  holder.kind = static_cast<Holder::Kind>(reader.integer<char>());
  holder.binding = reader.integer<model::BindingId>();
  if (holder.kind == Holder::Kind::kChild) {
    holder.side = reader.integer<uint8_t>();
    holder.root = reader.short_string();
  }
  holder.key = reader.rest();
  return holder;
}

}  // namespace searchsync::worker
