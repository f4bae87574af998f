#include "capture/core/chunk_window.h"

namespace searchsync::capture {

void ChunkWindow::touch(std::string_view key) {
  if (has_rows_) {
    const auto row = rows_by_key_.find(key);
    if (row != rows_by_key_.end()) touched_rows_[row->second] = true;
    return;
  }
  if (early_.size() >= kTouchedMax) {
    overflowed_ = true;
    return;
  }
  early_.emplace(key);
}

void ChunkWindow::set_rows(std::vector<std::string> keys) {
  keys_ = std::move(keys);
  touched_rows_.assign(keys_.size(), false);
  rows_by_key_.reserve(keys_.size());
  for (size_t i = 0; i < keys_.size(); ++i) {
    rows_by_key_.emplace(keys_[i], i);
    if (early_.contains(keys_[i])) touched_rows_[i] = true;
  }
  early_.clear();
  has_rows_ = true;
}

}  // namespace searchsync::capture
