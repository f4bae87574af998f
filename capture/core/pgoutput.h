#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/error.h"
#include "lib/postgres/lsn.h"

// The messages of PostgreSQL's output plugin pgoutput, protocol version 1, values as text.
// Source: PostgreSQL, "Logical Replication Message Formats".
namespace searchsync::capture::pgoutput {

struct Begin {
  postgres::Lsn commit_lsn;  // of the commit record: rises from transaction to transaction
  int64_t commit_us = 0;     // since 1970
  uint32_t xid = 0;
};

struct Commit {
  postgres::Lsn commit_lsn;
  postgres::Lsn end_lsn;  // where the next transaction's commit can be at the earliest
};

struct RelationColumn {
  bool identity = false;  // part of the replica identity
  std::string_view name;
  uint32_t type = 0;
};

enum class ReplicaIdentity : char { kDefault = 'd', kNothing = 'n', kFull = 'f', kIndex = 'i' };

// Sent before the first change of a table, and again after each change of its form.
struct Relation {
  uint32_t id = 0;
  std::string_view schema;
  std::string_view name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::span<const RelationColumn> columns;
};

struct Cell {
  enum class Kind : uint8_t {
    kNull,
    kUnchanged,  // a TOAST value that the statement did not touch, and that was not sent
    kText,
  };
  Kind kind = Kind::kNull;
  std::string_view text;

  friend bool operator==(const Cell&, const Cell&) = default;
};

using Tuple = std::span<const Cell>;

struct Insert {
  uint32_t relation = 0;
  Tuple after;
};

enum class OldForm {
  kNone,  // the replica identity did not change
  kKey,   // columns outside the replica identity are null
  kFull,
};

struct Update {
  uint32_t relation = 0;
  OldForm old_form = OldForm::kNone;
  Tuple before;
  Tuple after;
};

struct Delete {
  uint32_t relation = 0;
  OldForm old_form = OldForm::kKey;
  Tuple before;
};

struct Truncate {
  std::span<const uint32_t> relations;
};

struct LogicalMessage {
  bool transactional = false;
  std::string_view prefix;
  std::string_view content;
};

// Origin and type messages: they say nothing we need.
struct Ignored {};

using Message = std::variant<Begin, Commit, Relation, Insert, Update, Delete, Truncate,
                             LogicalMessage, Ignored>;

// Keeps its buffers from message to message.
class Decoder {
 public:
  // Views and spans in the result are valid until the next call and as long as `bytes`.
  // Errors: kMalformed with the byte position; kUnsupported for values in binary form.
  Result<Message> decode(std::string_view bytes);

 private:
  std::vector<Cell> before_;
  std::vector<Cell> after_;
  std::vector<RelationColumn> columns_;
  std::vector<uint32_t> relations_;
};

}  // namespace searchsync::capture::pgoutput
