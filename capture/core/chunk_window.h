#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "capture/core/row_batch.h"

namespace searchsync::capture {

// Which rows of one snapshot chunk may still be written: those whose key the stream did not touch
// since the chunk was asked for.
class ChunkWindow {
 public:
  // How many keys touched before the rows are there are remembered; past it the chunk is read
  // again.
  static constexpr size_t kTouchedMax = 200'000;

  void touch(std::string_view key);
  void touch_all() { all_touched_ = true; }

  // The rows are there. `keys` are their records' keys, in their order.
  void set_rows(std::vector<std::string> keys);

  // Whether the stream left row `index` alone.
  bool untouched(size_t index) const { return !all_touched_ && !touched_rows_[index]; }
  const std::string& key(size_t index) const { return keys_[index]; }
  bool overflowed() const { return overflowed_; }

 private:
  bool all_touched_ = false;
  bool overflowed_ = false;
  bool has_rows_ = false;
  std::unordered_set<std::string> early_;  // touched before the rows were there
  std::vector<std::string> keys_;
  std::vector<bool> touched_rows_;
  std::unordered_map<std::string_view, size_t> rows_by_key_;  // views into keys_
};

}  // namespace searchsync::capture
