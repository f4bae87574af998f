#include "aggregate/core/group_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "aggregate/core/mix.h"
#include "lib/base/check.h"

namespace searchsync::aggregate {
namespace {

constexpr size_t kFirstSlots = 1024;
// What evict() goes on by. It is odd, so that it comes to each slot, and far: would it empty one
// place after the other, those ahead of it would fill up to a single run, as new groups go
// anywhere.
constexpr size_t kStride = 0x9E3779B97F4A7C15;
constexpr uint64_t kAddress = (uint64_t{1} << 48) - 1;

// The allocator's own bytes of a block, and of what its size is a multiple.
constexpr size_t kAllocator = 8;
constexpr size_t rounded(size_t bytes) {
  return (bytes + 15) / 16 * 16;
}

uint64_t hash_of(std::string_view key) {
  return hash128(key).first;
}

}  // namespace

GroupTable::GroupTable(worker::Store& store, std::string prefix, Memory& memory)
    : store_(store), prefix_(std::move(prefix)), memory_(memory), slots_(kFirstSlots) {
  memory_.bytes += slots_.size() * sizeof(uint64_t);
}

GroupTable::~GroupTable() {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (Entry* entry = entry_at(slot)) {
      memory_.bytes -= bytes_of(*entry);
      ::operator delete(entry);
    }
  }
  memory_.bytes -= slots_.size() * sizeof(uint64_t);
}

GroupTable::Entry* GroupTable::entry_at(size_t slot) const {
  return reinterpret_cast<Entry*>(slots_[slot] & kAddress);  // NOLINT: as place() made it
}

// Where it is, or would be.
size_t GroupTable::slot_of(std::string_view key, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) return slot;
    if (slots_[slot] >> kTagShift == hash >> kTagShift && entry_at(slot)->key() == key) return slot;
  }
}

// The room to grow is what the allocator gives anyway.
GroupTable::Entry* GroupTable::make(std::string_view key, std::string_view state) {
  CHECK(key.size() <= UINT16_MAX && state.size() <= UINT16_MAX);
  const size_t bytes = sizeof(Entry) + key.size() + state.size() + kAllocator;
  const size_t spare = rounded(bytes) - bytes;
  const size_t room = std::min<size_t>(state.size() + spare, UINT16_MAX);
  auto* entry = new (::operator new(sizeof(Entry) + key.size() + room)) Entry;
  entry->key_size = static_cast<uint16_t>(key.size());
  entry->state_room = static_cast<uint16_t>(room);
  std::memcpy(entry->bytes(), key.data(), key.size());
  entry->put(state);
  return entry;
}

// As the allocator counts.
size_t GroupTable::bytes_of(const Entry& entry) {
  return rounded(sizeof(Entry) + entry.key_size + entry.state_room + kAllocator);
}

void GroupTable::place(Entry* entry, uint64_t hash, size_t slot) {
  const auto address = reinterpret_cast<uint64_t>(entry);
  CHECK((address & ~kAddress) == 0, "an address of more than 48 bits");
  slots_[slot] = address | (hash >> kTagShift << kTagShift);
}

GroupTable::Entry* GroupTable::find(std::string_view key) {
  const size_t slot = slot_of(key, hash_of(key));
  if (Entry* entry = entry_at(slot)) {
    entry->recent = true;
    return entry;
  }
  if (complete_) return nullptr;
  buffer_.assign(prefix_).append(key);
  if (!store_.get(buffer_, value_)) return nullptr;
  return add(key, value_);
}

GroupTable::Entry* GroupTable::add(std::string_view key, std::string_view state) {
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  const uint64_t hash = hash_of(key);
  const size_t slot = slot_of(key, hash);
  CHECK(slots_[slot] == 0, "the group is there");
  Entry* entry = make(key, state);
  place(entry, hash, slot);
  memory_.bytes += bytes_of(*entry);
  ++size_;
  return entry;
}

GroupTable::Entry* GroupTable::set_state(Entry* entry, std::string_view state) {
  if (state.size() <= entry->state_room) {
    entry->put(state);
    return entry;
  }
  const uint64_t hash = hash_of(entry->key());
  const size_t slot = slot_of(entry->key(), hash);
  Entry* larger = make(entry->key(), state);
  larger->pinned = entry->pinned;
  memory_.bytes += bytes_of(*larger) - bytes_of(*entry);
  place(larger, hash, slot);
  ::operator delete(entry);
  return larger;
}

void GroupTable::save(const Entry& entry) {
  buffer_.assign(prefix_).append(entry.key());
  store_.put(buffer_, entry.state());
}

void GroupTable::evict() {
  const size_t mask = slots_.size() - 1;
  // Twice around: the first time takes away what makes a group recent.
  for (size_t moved = 0; memory_.bytes > memory_.bytes_max && moved < 2 * slots_.size();) {
    Entry* entry = entry_at(hand_);
    if (entry != nullptr && entry->pinned == 0 && !std::exchange(entry->recent, false)) {
      forget(hand_);  // another may have moved here
      complete_ = false;
      continue;
    }
    hand_ = (hand_ + kStride) & mask;
    ++moved;
  }
}

size_t GroupTable::longest_run() const {
  size_t longest = 0;
  size_t run = 0;
  for (const uint64_t slot : slots_) {
    run = slot == 0 ? 0 : run + 1;
    longest = std::max(longest, run);
  }
  return longest;
}

void GroupTable::forget(size_t slot) {
  Entry* entry = entry_at(slot);
  memory_.bytes -= bytes_of(*entry);
  ::operator delete(entry);
  --size_;
  // Those behind it close the gap, each no further than where it belongs.
  const size_t mask = slots_.size() - 1;
  size_t gap = slot;
  for (size_t next = (gap + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const size_t home = hash_of(entry_at(next)->key()) & mask;
    if (((next - home) & mask) < ((next - gap) & mask)) continue;
    slots_[gap] = slots_[next];
    gap = next;
  }
  slots_[gap] = 0;
}

void GroupTable::grow() {
  const auto before = std::exchange(slots_, std::vector<uint64_t>(2 * slots_.size()));
  memory_.bytes += before.size() * sizeof(uint64_t);
  hand_ = 0;
  const size_t mask = slots_.size() - 1;
  for (const uint64_t one : before) {
    if (one == 0) continue;
    const auto* entry = reinterpret_cast<const Entry*>(one & kAddress);  // NOLINT: as in entry_at()
    size_t slot = hash_of(entry->key()) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = one;
  }
}

}  // namespace searchsync::aggregate
