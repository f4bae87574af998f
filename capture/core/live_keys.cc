#include "capture/core/live_keys.h"

#include "lib/base/hash.h"

namespace searchsync::capture {
namespace {

constexpr size_t kKeyCost = 96;  // what remembering a key costs besides its bytes

}  // namespace

void LiveKeys::add(std::string_view key, const TopicRecord& record) {
  if (stable_hash(key) % slices_ != slice_) return;
  const auto [entry, is_new] = keys_.try_emplace(std::string(key));
  Key& known = entry->second;
  known.last_alive = record.kind == TopicRecord::Kind::kRow;
  if (record.kind != TopicRecord::Kind::kTombstone && record.position >= known.highest) {
    known.highest = record.position;
    known.highest_alive = known.last_alive;
  }
  if (is_new) bytes_ += key.size() + kKeyCost;
  while (bytes_ > bytes_max_ && keys_.size() > 1) halve();
}

// With twice as many slices this one becomes a half of itself; the other half comes later.
void LiveKeys::halve() {
  slices_ *= 2;
  std::erase_if(keys_, [&](const auto& entry) {
    if (stable_hash(entry.first) % slices_ == slice_) return false;
    bytes_ -= entry.first.size() + kKeyCost;
    return true;
  });
}

Result<void> LiveKeys::each(Position below,
                            FunctionRef<Result<void>(std::string_view key)> visit) const {
  for (const auto& [key, known] : keys_) {
    if ((known.last_alive || known.highest_alive) && known.highest < below) {
      if (auto visited = visit(key); !visited) return visited;
    }
  }
  return {};
}

bool LiveKeys::next_slice() {
  keys_.clear();
  bytes_ = 0;
  return ++slice_ < slices_;
}

}  // namespace searchsync::capture
