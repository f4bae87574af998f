#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "query/export.h"

namespace searchsync::query {

// Lines as RFC 4180 has them, with a header: `_id`, then the columns. A text is as it is, a number
// as it was written, what is not there or null is empty; objects, arrays, and fields within arrays,
// are JSON.
class CsvWriter final : public RowWriter {
 public:
  // columns: dotted paths.
  explicit CsvWriter(std::vector<std::string> columns);
  ~CsvWriter() override;

  void begin(std::string& out) override;
  bool row(std::string_view id, std::string_view source, std::string& out) override;

 private:
  // A step of a path: what is within it, and whether it is a column itself.
  struct Step {
    std::map<std::string, Step, std::less<>> inner;
    std::optional<size_t> column;
  };
  struct Cell {
    std::string text;
    bool list = false;  // several values, of an array on the way
  };
  class Walk;

  const std::vector<std::string> columns_;
  Step root_;
  std::vector<Cell> cells_;
};

}  // namespace searchsync::query
