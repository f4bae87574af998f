#pragma once

// The ids of events that arrived lately. Which are remembered depends on nothing but the events and
// the times at which they arrived, so that reading the last of them again restores it.
//
// Time is cut into slices of an eighth of the window. An id is remembered through the slice in
// which it arrived last and the eight after it: for at least the window, and at most an eighth
// longer. Time never goes back: an event that says it arrived before another, that was read before
// it, arrived with it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace searchsync::aggregate {

class IdWindow {
 public:
  // window: at least 8 ms.
  explicit IdWindow(std::chrono::milliseconds window);

  // Something arrived, be it without an id. Milliseconds since 1970.
  void arrived(int64_t at_ms);
  // Whether the id is remembered. It is from here on, as of what arrived last.
  bool seen(std::string_view id);

  // When the newest event arrived; nothing: none did.
  std::optional<int64_t> newest_ms() const { return newest_ms_; }
  // What arrived before this is forgotten when something arrives at `arrived_ms`.
  int64_t oldest_ms(int64_t arrived_ms) const;

  size_t size() const { return size_; }
  size_t bytes() const { return entries_.size() * sizeof(Entry); }

  // What seen() has added since the last call, and newest_ms(); load() takes it. Empty: nothing has
  // arrived, and load() takes that too.
  std::string take_added();
  // In the order in which they were taken. False: these are not such bytes.
  bool load(std::string_view added);

 private:
  // 120 bits of a hash, and in the lowest 8 of `low` the slice. All 0: free.
  struct Entry {
    uint64_t high = 0;
    uint64_t low = 0;
  };
  static constexpr int64_t kSlices = 8;

  int64_t slice_of(int64_t arrived_ms) const;
  int64_t age(const Entry& entry) const;  // in slices
  bool put(Entry entry);
  void rebuild(size_t entries);

  const int64_t slice_ms_;
  std::optional<int64_t> newest_ms_;
  int64_t slice_ = 0;  // of newest_ms_
  std::vector<Entry> entries_;
  size_t size_ = 0;
  std::vector<Entry> added_;
};

}  // namespace searchsync::aggregate
