#pragma once

// The groups of one partition: those lately used in memory, encoded, the others in a store. Some 60
// bytes a group beside its key and its values.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/store.h"

namespace searchsync::aggregate {

// What the tables of several partitions share.
struct Memory {
  size_t bytes_max = size_t{512} << 20;
  size_t bytes = 0;  // in use
};

class GroupTable {
 public:
  // A group in memory. It stays where it is until set_state() or evict().
  struct Entry {
    uint64_t pinned = 0;  // not 0: evict() leaves it; the caller's to use
    uint16_t key_size = 0;
    uint16_t state_size = 0;
    uint16_t state_room = 0;
    bool recent = true;

    std::string_view key() const { return {bytes(), key_size}; }
    std::string_view state() const { return {bytes() + key_size, state_size}; }

   private:
    friend class GroupTable;
    void put(std::string_view state) {
      state_size = static_cast<uint16_t>(state.size());
      std::memcpy(bytes() + key_size, state.data(), state.size());
    }
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  };

  // prefix: of its keys in the store. Both references outlive the table.
  GroupTable(worker::Store& store, std::string prefix, Memory& memory);
  ~GroupTable();
  GroupTable(const GroupTable&) = delete;
  GroupTable& operator=(const GroupTable&) = delete;

  // Everything that the store has is in memory: what is not found there is nowhere.
  void store_is_empty() { complete_ = true; }

  // In memory or from the store; null: no such group.
  Entry* find(std::string_view key);
  // One that find() did not find. state: at most 65,535 bytes.
  Entry* add(std::string_view key, std::string_view state);
  // Likewise. The entry may move: the one returned takes its place.
  Entry* set_state(Entry* entry, std::string_view state);
  // Puts it into the store; the caller commits that.
  void save(const Entry& entry);

  // While more memory is in use than may be: forgets groups that were not used lately, that are not
  // pinned, and that are saved.
  void evict();

  size_t size() const { return size_; }  // in memory
  // Of groups whose places touch each other: as many may have to be looked at to find one that is
  // not there, or to forget one. Looks at all of them.
  size_t longest_run() const;

 private:
  static constexpr int kTagShift = 48;

  size_t slot_of(std::string_view key, uint64_t hash) const;
  Entry* entry_at(size_t slot) const;
  // With room for `state`, and a little more.
  static Entry* make(std::string_view key, std::string_view state);
  static size_t bytes_of(const Entry& entry);
  void place(Entry* entry, uint64_t hash, size_t slot);
  void forget(size_t slot);
  void grow();

  worker::Store& store_;
  const std::string prefix_;
  Memory& memory_;
  // Each an address and, in the 16 bits that addresses leave free, a part of the hash. 0: free.
  std::vector<uint64_t> slots_;
  size_t size_ = 0;
  size_t hand_ = 0;  // where evict() goes on
  bool complete_ = false;
  std::string buffer_;  // of a key in the store
  std::string value_;
};

}  // namespace searchsync::aggregate
