#include "worker/core/fold.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/hash.h"

namespace searchsync::worker {
namespace {

using model::BindingKind;

constexpr uint8_t kPresent = 1, kAsked = 2, kRefused = 4;

// A position that no unanswered question has, not even at offset 0.
Position log_position(Offset offset) {
  return {0, static_cast<uint64_t>(offset.get()) + 1};
}

}  // namespace

Partition partition_of(BindingId binding, std::string_view key, int32_t partitions) {
  return Partition(
      static_cast<int32_t>(stable_hash(key, binding) % static_cast<uint64_t>(partitions)));
}

Fold::Fold(const model::Pipeline& pipeline, Options options, Store& store)
    : pipeline_(pipeline), options_(options), store_(store), keys_(options.partition) {
  for (const auto& plan : pipeline.bindings) {
    projectors_.emplace_back(plan);
    if (plan.kind == BindingKind::kLink) root_looked_up_ = true;
  }
}

bool Fold::is_looked_up(BindingId binding) const {
  return pipeline_.binding(binding).kind == BindingKind::kLookup ||
         (binding == pipeline_.root && root_looked_up_);
}

Result<void> Fold::apply(Offset offset, const Message& message, Duties duties, Effects& effects) {
  duties_ = duties;
  if (message.binding >= pipeline_.bindings.size()) {
    return fail(ErrorCode::kMalformed,
                fmt::format("no binding has the number {}", message.binding));
  }
  switch (message.kind) {
    case MessageKind::kRow:
      return apply_row(offset, message, effects);
    case MessageKind::kChild:
      return apply_child(offset, message, effects);
    case MessageKind::kSubscribe:
      apply_subscribe(offset, message, effects);
      return {};
    case MessageKind::kLookup:
      return apply_lookup(offset, message, effects);
    case MessageKind::kRepeat:
      apply_repeat(offset, message, effects);
      return {};
    case MessageKind::kTouch:
      if (message.binding == pipeline_.root) touch(message.key, message.changed_at_us, effects);
      return {};
    case MessageKind::kLead:
    case MessageKind::kBegin:
      break;
  }
  CHECK(false, "it is for the partition, not for its fold");
  return {};
}

Result<void> Fold::apply_row(Offset offset, const Message& message, Effects& effects) {
  const auto& plan = pipeline_.binding(message.binding);
  const auto state_key = keys_.row(message.binding, message.key);
  Held before, after;
  const bool known = read(state_key, before);
  const bool expires = message.position == before.position && !message.row && before.present;
  if (known && message.position <= before.position && !expires) {
    if (came_late(message, state_key, before)) repeat_row(message, before, effects);
    return {};
  }
  Result<void> projected;
  if (plan.kind == BindingKind::kLookup) {
    after.position = message.position;
    after.present = message.row.has_value();
  } else {
    projected = project(message, after);
  }
  after.json = message.row.value_or("");
  write(state_key, after);
  if (is_looked_up(message.binding)) answer_subscribers(offset, message, effects);
  if (!plan.sides.empty()) send_to_parents(offset, message, before, after, effects);
  if (message.binding == pipeline_.root) {
    move_edges({.kind = Holder::Kind::kRoot, .binding = message.binding, .key = message.key},
               known ? &before : nullptr, after, effects);
    leave(offset, message.key, before, after);
    touch(message.key, message.changed_at_us, effects);
  }
  return projected;
}

// Whoever leads has the newer one said again; everybody notes when that is done. While it is on its
// way no other question is asked, or a batch sent twice would grow with each turn: whatever comes
// late meanwhile comes before the answer.
bool Fold::came_late(const Message& message, std::string_view state_key, Held& held) {
  // At equal positions a deletion is the newer one: see send_expired().
  const bool late = message.position < held.position ||
                    (message.position == held.position && message.row && !held.present);
  if (late == held.asked || (late && !duties_.sends)) return false;
  held.asked = late;
  write(state_key, held);
  return late;
}

void Fold::repeat_row(const Message& late, const Held& held, Effects& effects) {
  Message newer = late;
  newer.position = held.position;
  newer.changed_at_us = 0;
  newer.row.reset();
  if (!held.json.empty()) newer.row = held.json;
  send(options_.partition, newer, effects);
}

Result<void> Fold::apply_child(Offset, const Message& message, Effects& effects) {
  const auto state_key = keys_.child(message.root, message.binding, message.side, message.key);
  Held before, after;
  const bool known = read(state_key, before);
  if (known && message.position <= before.position) {
    if (came_late(message, state_key, before)) {
      send(partition_of(message.binding, message.key, options_.partitions),
           {.kind = MessageKind::kRepeat,
            .binding = message.binding,
            .side = message.side,
            .key = message.key,
            .root = message.root},
           effects);
    }
    return {};
  }
  auto projected = project(message, after);
  write(state_key, after);
  move_edges({.kind = Holder::Kind::kChild,
              .binding = message.binding,
              .side = message.side,
              .root = message.root,
              .key = message.key},
             known ? &before : nullptr, after, effects);
  const bool same = before.shown() == after.shown() && before.tuple == after.tuple;
  if (!same) touch(message.root, message.changed_at_us, effects);
  return projected;
}

void Fold::apply_subscribe(Offset offset, const Message& message, Effects& effects) {
  store_.put(keys_.subscriber(message.binding, message.key, message.subscriber), "");
  Message answer{.kind = MessageKind::kLookup,
                 .binding = message.binding,
                 .key = message.key,
                 .position = log_position(offset),
                 .changed_at_us = message.changed_at_us};
  Held held;
  if (read(keys_.row(message.binding, message.key), held) && !held.json.empty())
    answer.row = held.json;
  send(message.subscriber, answer, effects);
}

Result<void> Fold::apply_lookup(Offset offset, const Message& message, Effects& effects) {
  const auto state_key = keys_.lookup(message.binding, message.key);
  Held before, after;
  const bool answered = read(state_key, before) && before.position != Position{};
  if (answered && message.position <= before.position) {
    if (came_late(message, state_key, before)) subscribe(message.binding, message.key, effects);
    return {};
  }
  auto projected = project(message, after);
  write(state_key, after);
  if (message.binding != pipeline_.root) {
    move_edges({.kind = Holder::Kind::kLookup, .binding = message.binding, .key = message.key},
               answered ? &before : nullptr, after, effects);
  }
  const bool same = answered && before.shown() == after.shown() && before.tuple == after.tuple;
  if (!same) {
    size_t budget = options_.inline_edges_max;
    touch_users({.binding = message.binding,
                 .key = std::string(message.key),
                 .since = offset,
                 .newest = offset,
                 .changed_at_us = message.changed_at_us},
                budget, effects);
  }
  return projected;
}

void Fold::apply_repeat(Offset offset, const Message& message, Effects& effects) {
  const auto& plan = pipeline_.binding(message.binding);
  if (message.side >= plan.sides.size()) return;
  Held held;
  TupleView tuple;
  std::string root;
  const bool present = read(keys_.row(message.binding, message.key), held) && held.present;
  tuple.parse(held.tuple);
  Message child = message;
  child.kind = MessageKind::kChild;
  child.position = log_position(offset);
  child.row.reset();
  if (present && key_text(tuple, plan.sides[message.side], root) && root == message.root) {
    child.row = held.json;
  }
  send(partition_of(pipeline_.root, message.root, options_.partitions), child, effects);
}

bool Fold::read(std::string_view state_key, Held& held) {
  if (!store_.get(state_key, buffer_)) return false;
  parse(buffer_, held);
  return true;
}

void Fold::parse(std::string_view bytes, Held& held) {
  ByteReader reader(bytes);
  held.position.epoch = reader.integer<uint64_t>();
  held.position.value = reader.integer<uint64_t>();
  const auto flags = reader.integer<uint8_t>();
  held.present = (flags & kPresent) != 0;
  held.refused = (flags & kRefused) != 0;
  held.asked = (flags & kAsked) != 0;
  held.tuple = reader.bytes(reader.integer<uint32_t>());
  held.json = reader.rest();
}

void Fold::write(std::string_view state_key, const Held& held) {
  buffer_.clear();
  append_integer(buffer_, held.position.epoch);
  append_integer(buffer_, held.position.value);
  append_integer(
      buffer_, static_cast<uint8_t>((held.present ? kPresent : 0) | (held.refused ? kRefused : 0) |
                                    (held.asked ? kAsked : 0)));
  append_integer(buffer_, static_cast<uint32_t>(held.tuple.size()));
  buffer_ += held.tuple;
  buffer_ += held.json;
  store_.put(state_key, buffer_);
}

Result<void> Fold::project(const Message& message, Held& held) {
  held.position = message.position;
  held.present = message.row.has_value();
  held.tuple.clear();
  if (!message.row) return {};
  auto projected = projectors_[message.binding].project(*message.row, held.tuple);
  held.refused = !projected;
  return projected;
}

void Fold::answer_subscribers(Offset offset, const Message& message, Effects& effects) {
  Message answer = message;
  answer.kind = MessageKind::kLookup;
  answer.position = log_position(offset);
  const auto prefix = keys_.subscribers(message.binding, message.key);
  store_.scan(prefix, "", [&](std::string_view key, std::string_view) {
    send(Partition(ByteReader(key.substr(prefix.size())).integer<int32_t>()), answer, effects);
    return true;
  });
}

// Forwards a row to the roots it belongs to, and retracts it from those it has left.
void Fold::send_to_parents(Offset offset, const Message& message, const Held& before,
                           const Held& after, Effects& effects) {
  const auto& plan = pipeline_.binding(message.binding);
  TupleView old_tuple, new_tuple;
  old_tuple.parse(before.tuple);
  new_tuple.parse(after.tuple);
  std::string old_root, new_root;
  for (size_t side = 0; side < plan.sides.size(); ++side) {
    const bool was = before.present && key_text(old_tuple, plan.sides[side], old_root);
    const bool is = after.present && key_text(new_tuple, plan.sides[side], new_root);
    Message child = message;
    child.kind = MessageKind::kChild;
    child.side = static_cast<uint8_t>(side);
    child.position = log_position(offset);
    if (was && (!is || old_root != new_root)) {
      child.root = old_root;
      child.row.reset();
      send(partition_of(pipeline_.root, old_root, options_.partitions), child, effects);
    }
    if (is) {
      child.root = new_root;
      child.row = message.row;
      send(partition_of(pipeline_.root, new_root, options_.partitions), child, effects);
    }
  }
}

std::optional<Place> Fold::place_of(const Held& root) const {
  if (!root.shown()) return std::nullopt;
  TupleView tuple;
  tuple.parse(root.tuple);
  return worker::place_of(*pipeline_.partitioning, tuple);
}

// The place that it comes back to is one that every write covers.
void Fold::leave(Offset offset, std::string_view root, const Held& before, const Held& after) {
  if (!pipeline_.partitioning) return;
  const auto state_key = keys_.left(root);
  if (!duties_.moves) {  // it is done, and so is all that was noted before it
    store_.erase(state_key);
    return;
  }
  const auto was = place_of(before), is = place_of(after);
  if (was == is) return;
  std::vector<Left> left;
  if (store_.get(state_key, buffer_)) left = decode_left(buffer_);
  std::erase_if(left, [&](const Left& one) { return one.place == was || one.place == is; });
  if (was) left.push_back({*was, offset});
  if (left.empty()) {
    store_.erase(state_key);
  } else {
    store_.put(state_key, encode_left(left));
  }
}

std::vector<Place> Fold::left(std::string_view root, Offset done) {
  const auto state_key = keys_.left(root);
  if (!store_.get(state_key, buffer_)) return {};
  auto left = decode_left(buffer_);
  const auto forgotten = std::erase_if(left, [done](const Left& one) { return one.since < done; });
  if (left.empty()) {
    store_.erase(state_key);
  } else if (forgotten > 0) {
    store_.put(state_key, encode_left(left));
  }
  std::vector<Place> places;
  for (auto& one : left) places.push_back(std::move(one.place));
  return places;
}

void Fold::touch(std::string_view root, uint64_t changed_at_us, Effects& effects) {
  if (duties_.touches) effects.touched.add(root, changed_at_us);
}

void Fold::send(Partition to, const Message& message, Effects& effects) {
  if (duties_.sends) effects.sends.push_back({to, encode(message)});
}

// Keeps the edges of a held row equal to what its tuple refers to.
void Fold::move_edges(const Holder& holder, const Held* before, const Held& after,
                      Effects& effects) {
  const auto& plan = pipeline_.binding(holder.binding);
  const bool far = plan.kind == BindingKind::kLink;
  if (plan.lookups.empty() && !far) return;
  TupleView old_tuple, new_tuple;
  if (before != nullptr) old_tuple.parse(before->tuple);
  new_tuple.parse(after.tuple);
  std::string old_key, new_key;
  const auto move = [&](BindingId target, const std::vector<model::Slot>& from) {
    const bool was = before != nullptr && before->present && key_text(old_tuple, from, old_key);
    const bool is = after.present && key_text(new_tuple, from, new_key);
    if (was && is && old_key == new_key) return;
    if (was) store_.erase(keys_.edge(target, old_key, holder));
    if (is) add_edge(target, new_key, holder, effects);
  };
  // Two lookups of one row never have the same target: each is a binding of its own.
  for (const auto& use : plan.lookups) move(use.target, use.from);
  if (far) move(pipeline_.root, plan.sides[1 - holder.side]);
}

void Fold::add_edge(BindingId target, std::string_view key, const Holder& holder,
                    Effects& effects) {
  store_.put(keys_.edge(target, key, holder), "");
  // Only who really asks remembers it. One that follows or restores may see a need that the one who
  // led at that time did not have, where compaction has kept a late record and not the newer one.
  const auto state_key = keys_.lookup(target, key);
  if (!duties_.sends || store_.get(state_key, buffer_)) return;
  write(state_key, Held{.asked = true});  // no position: not answered
  subscribe(target, key, effects);
}

void Fold::subscribe(BindingId target, std::string_view key, Effects& effects) {
  send(partition_of(target, key, options_.partitions),
       {.kind = MessageKind::kSubscribe,
        .binding = target,
        .key = key,
        .subscriber = options_.partition},
       effects);
}

Known Fold::root(std::string_view key, std::string& tuple) {
  Held held;
  if (!read(keys_.row(pipeline_.root, key), held)) return Known::kUnknown;
  if (!held.shown()) return Known::kAbsent;
  tuple = std::move(held.tuple);
  return Known::kPresent;
}

Known Fold::lookup(BindingId binding, std::string_view key, std::string& tuple) {
  Held held;
  if (!read(keys_.lookup(binding, key), held) || held.position == Position{})
    return Known::kUnknown;
  if (!held.shown()) return Known::kAbsent;
  tuple = std::move(held.tuple);
  return Known::kPresent;
}

void Fold::children(
    std::string_view root,
    FunctionRef<void(BindingId, uint8_t, std::string_view, std::string_view)> visit) {
  const auto prefix = keys_.children(root);
  store_.scan(prefix, "", [&](std::string_view key, std::string_view value) {
    ByteReader keys(key.substr(prefix.size()));
    const auto binding = keys.integer<BindingId>();
    const auto side = keys.integer<uint8_t>();
    ByteReader values(value);
    values.bytes(16);
    const bool shown = (values.integer<uint8_t>() & (kPresent | kRefused)) == kPresent;
    if (shown) visit(binding, side, keys.rest(), values.bytes(values.integer<uint32_t>()));
    return true;
  });
}

}  // namespace searchsync::worker
