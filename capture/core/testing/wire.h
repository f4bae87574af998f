#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// pgoutput messages, written by hand from the protocol's description: what the decoder reads in
// tests. Source: PostgreSQL, "Logical Replication Message Formats".
namespace searchsync::capture::wire {

inline std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

inline std::string text(std::string_view value) {
  return std::string(value) + '\0';
}

struct Column {
  std::string name;
  uint32_t type = 25;
  bool identity = false;
};

// A cell: a text, null, or unchanged.
struct Cell {
  char kind = 'n';
  std::string value;

  static Cell null() { return {}; }
  static Cell unchanged() { return {'u', {}}; }
  static Cell of(std::string_view value) { return {'t', std::string(value)}; }
};
using Row = std::vector<Cell>;

inline std::string tuple(const Row& row) {
  std::string bytes = number(row.size(), 2);
  for (const Cell& cell : row) {
    bytes += cell.kind;
    if (cell.kind == 't') bytes += number(cell.value.size(), 4) + cell.value;
  }
  return bytes;
}

inline std::string begin(uint64_t commit_lsn, uint64_t postgres_us, uint32_t xid) {
  return "B" + number(commit_lsn, 8) + number(postgres_us, 8) + number(xid, 4);
}
inline std::string commit(uint64_t commit_lsn, uint64_t end_lsn) {
  return "C" + number(0, 1) + number(commit_lsn, 8) + number(end_lsn, 8) + number(0, 8);
}
inline std::string relation(uint32_t id, std::string_view schema, std::string_view name,
                            const std::vector<Column>& columns, char identity = 'd') {
  std::string bytes = "R" + number(id, 4) + text(schema) + text(name) + identity;
  bytes += number(columns.size(), 2);
  for (const Column& column : columns) {
    bytes += number(column.identity ? 1 : 0, 1) + text(column.name) + number(column.type, 4) +
             number(~uint64_t{0}, 4);
  }
  return bytes;
}
inline std::string insert(uint32_t relation, const Row& row) {
  return "I" + number(relation, 4) + "N" + tuple(row);
}
// `form`: K, O, or '\0' for none.
inline std::string update(uint32_t relation, char form, const Row& before, const Row& after) {
  std::string bytes = "U" + number(relation, 4);
  if (form != '\0') bytes += form + tuple(before);
  return bytes + "N" + tuple(after);
}
inline std::string remove(uint32_t relation, char form, const Row& before) {
  return "D" + number(relation, 4) + form + tuple(before);
}
inline std::string truncate(const std::vector<uint32_t>& relations) {
  std::string bytes = "T" + number(relations.size(), 4) + number(0, 1);
  for (const uint32_t relation : relations) bytes += number(relation, 4);
  return bytes;
}
inline std::string message(std::string_view prefix, std::string_view content) {
  return "M" + number(1, 1) + number(0, 8) + text(prefix) + number(content.size(), 4) +
         std::string(content);
}

}  // namespace searchsync::capture::wire
