#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture/core/pgoutput.h"
#include "capture/core/state.h"
#include "capture/core/value.h"

namespace searchsync::capture {

struct ColumnForm {
  std::string name;
  std::string label;  // the name as a JSON string, and a colon
  ValueType type;
};

// How the rows of a table look at one time.
struct RowForm {
  size_t table = 0;
  std::vector<ColumnForm> columns;
  std::vector<size_t> key;  // places in `columns`, in key order

  void add_column(std::string_view name, ValueType type);
};

// A text that differs between two forms of a table: names and types of its columns, in order.
class FormHash {
 public:
  void add(std::string_view column, uint32_t type);
  std::string text() const;

 private:
  std::string columns_;
};

// What every envelope of one table has in common.
class SourceBlock {
 public:
  SourceBlock(std::string_view version, std::string_view name, std::string_view database,
              std::string_view schema, std::string_view table);

  // {"version":…,"epoch":1}
  struct Facts {
    int64_t time_us = 0;  // of the commit, or of the reading
    uint32_t xid = 0;
    Position position;
    bool snapshot = false;
  };
  void append(std::string& out, const Facts& facts) const;

 private:
  std::string head_;  // up to the time
  std::string tail_;  // from db to the transaction
};

enum class Op : char { kCreate = 'c', kUpdate = 'u', kDelete = 'd', kRead = 'r' };

// {"id":1,"part":"x"}: the record's key, in key order. `row` has a text in each key column.
void append_key(std::string& out, const RowForm& form, pgoutput::Tuple row);
// {"id":1,"title":null}: all columns. None of them is kUnchanged.
void append_row(std::string& out, const RowForm& form, pgoutput::Tuple row);
// {"id":1,"title":null}: all columns, those outside the key as null.
void append_key_row(std::string& out, const RowForm& form, pgoutput::Tuple row);

// The whole value. `before` and `after` are JSON; empty: null.
struct Envelope {
  Op op = Op::kCreate;
  std::string_view before;
  std::string_view after;
  int64_t now_ms = 0;
};
void append_envelope(std::string& out, const Envelope& envelope, const SourceBlock& source,
                     const SourceBlock::Facts& facts);

}  // namespace searchsync::capture
