// Of the fold: from a row that changed to the documents that show it.

#include <algorithm>

#include "worker/core/fold.h"

namespace searchsync::worker {
namespace {

std::string encode_fan_out(const FanOut& change) {
  std::string out;
  append_integer(out, change.since.get());
  append_integer(out, change.changed_at_us);
  append_integer(out, change.again ? change.again->get() : int64_t{-1});
  append_integer(out, change.newest.get());
  out += change.cursor;
  return out;
}

FanOut decode_fan_out(std::string_view state_key, std::string_view value, size_t prefix) {
  FanOut change;
  ByteReader keys(state_key.substr(prefix));
  change.binding = keys.integer<BindingId>();
  change.key = keys.rest();
  ByteReader values(value);
  change.since = Offset(values.integer<int64_t>());
  change.changed_at_us = values.integer<uint64_t>();
  if (const auto again = values.integer<int64_t>(); again >= 0) change.again = Offset(again);
  change.newest = Offset(values.integer<int64_t>());
  change.cursor = values.rest();
  return change;
}

}  // namespace

void TouchedRoots::add(std::string_view root, uint64_t changed_at_us) {
  const auto [place, added] = places_.try_emplace(std::string(root), touches_.size());
  if (added) {
    touches_.push_back({std::string(root), changed_at_us});
    return;
  }
  auto& touch = touches_[place->second];
  touch.changed_at_us = older(touch.changed_at_us, changed_at_us);
}

bool Fold::touch_roots(size_t limit, std::string& cursor, Effects& effects) {
  const auto prefix = keys_.row(pipeline_.root, "");
  bool more = false;
  store_.scan(prefix, cursor.empty() ? "" : prefix + cursor,
              [&](std::string_view key, std::string_view) {
                more = limit == 0;
                if (more) return false;
                --limit;
                cursor = key.substr(prefix.size());
                effects.touched.add(cursor, 0);
                return true;
              });
  return more;
}

void Fold::touch_users(const FanOut& change, size_t& budget, Effects& effects) {
  if (!duties_.touches) return;
  std::string cursor, value;
  if (follow(change, budget, cursor, effects)) return;
  FanOut rest = change;
  rest.cursor = cursor;
  const auto state_key = keys_.fan_out(change.binding, change.key);
  if (store_.get(state_key, value)) {
    rest = decode_fan_out(state_key, value, keys_.fan_outs().size());
    rest.again = rest.again.value_or(change.since);
    rest.newest = std::max(rest.newest, change.newest);
    rest.changed_at_us = older(rest.changed_at_us, change.changed_at_us);
  }
  store_.put(state_key, encode_fan_out(rest));
  effects.fan_outs_changed = true;
}

bool Fold::follow(const FanOut& change, size_t& budget, std::string& cursor, Effects& effects) {
  const auto prefix = keys_.edges(change.binding, change.key);
  cursor = change.cursor;
  bool complete = true;
  std::vector<FanOut> deeper;
  store_.scan(prefix, cursor, [&](std::string_view edge, std::string_view) {
    if (budget == 0) {
      complete = false;
      return false;
    }
    --budget;
    const Holder holder = parse_edge(edge, prefix.size());
    switch (holder.kind) {
      case Holder::Kind::kRoot:
        effects.touched.add(holder.key, change.changed_at_us);
        break;
      case Holder::Kind::kChild:
        effects.touched.add(holder.root, change.changed_at_us);
        break;
      case Holder::Kind::kLookup:
        deeper.push_back({.binding = holder.binding,
                          .key = std::string(holder.key),
                          .since = change.since,
                          .newest = change.newest,
                          .changed_at_us = change.changed_at_us});
        break;
    }
    cursor = edge;
    return true;
  });
  for (const auto& next : deeper) touch_users(next, budget, effects);
  return complete;
}

void Fold::fan_out(const FanOut& change, size_t limit, Effects& effects) {
  duties_ = {.sends = false, .touches = true};
  size_t budget = limit;
  FanOut rest = change;
  const bool complete = follow(change, budget, rest.cursor, effects);
  const auto state_key = keys_.fan_out(change.binding, change.key);
  if (complete && !rest.again) return store_.erase(state_key);
  if (complete) {
    rest.since = *rest.again;
    rest.again.reset();
    rest.cursor.clear();
  }
  store_.put(state_key, encode_fan_out(rest));
}

std::vector<FanOut> Fold::fan_outs() const {
  std::vector<FanOut> all;
  const auto prefix = keys_.fan_outs();
  store_.scan(prefix, "", [&](std::string_view key, std::string_view value) {
    all.push_back(decode_fan_out(key, value, prefix.size()));
    return true;
  });
  return all;
}

void Fold::drop_fan_outs(Offset done) {
  for (auto& change : fan_outs()) {
    const auto state_key = keys_.fan_out(change.binding, change.key);
    if (change.newest < done) {
      store_.erase(state_key);
    } else if (change.since < done) {
      change.since = done;
      change.again.reset();
      change.cursor.clear();
      store_.put(state_key, encode_fan_out(change));
    }
  }
}

}  // namespace searchsync::worker
