#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture/core/pgoutput.h"

namespace searchsync::capture {

// Rows of text cells in one piece of memory: for rows that outlive the message they came in.
class RowBatch {
 public:
  void add_row() { starts_.push_back(cells_.size()); }
  // To the row added last.
  void add_cell(pgoutput::Cell cell) {
    cells_.push_back({cell.kind, bytes_.size(), cell.text.size()});
    bytes_ += cell.text;
  }
  void add_cell(std::optional<std::string_view> text) {
    using Kind = pgoutput::Cell::Kind;
    add_cell({text ? Kind::kText : Kind::kNull, text.value_or("")});
  }

  size_t size() const { return starts_.size(); }
  size_t bytes() const { return bytes_.size(); }

  // The cells of a row, in `cells`; valid as long as the batch is not changed.
  pgoutput::Tuple row(size_t index, std::vector<pgoutput::Cell>& cells) const {
    const size_t end = index + 1 < starts_.size() ? starts_[index + 1] : cells_.size();
    cells.clear();
    for (size_t i = starts_[index]; i < end; ++i) {
      const Place& place = cells_[i];
      cells.push_back({place.kind, std::string_view(bytes_).substr(place.offset, place.size)});
    }
    return cells;
  }

  void clear() {
    bytes_.clear();
    cells_.clear();
    starts_.clear();
  }

 private:
  struct Place {
    pgoutput::Cell::Kind kind;
    size_t offset;
    size_t size;
  };
  std::string bytes_;
  std::vector<Place> cells_;
  std::vector<size_t> starts_;  // in cells_
};

}  // namespace searchsync::capture
