#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "capture/core/seams.h"
#include "capture/core/xid_snapshot.h"
#include "lib/base/error.h"
#include "lib/postgres/connection.h"

namespace searchsync::capture {

struct TableName {
  std::string schema;
  std::string name;
  std::vector<std::string> key_columns;
};

// The columns of a table that the stream has too (no generated ones), for a SELECT, with those of
// its key as {name, type for a cast}.
struct ReadableColumns {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::string>> key;
  bool partitioned = false;
};
// Errors: kNotFound if the table or a column of its key is gone.
Result<ReadableColumns> readable_columns(postgres::Connection& connection, const TableName& table);

Result<XidSnapshot> current_snapshot(postgres::Connection& connection);

// How values of a type become JSON, by looking through domains and arrays in the catalog.
// Remembers.
class TypeCatalog {
 public:
  Result<ValueType> type(postgres::Connection& connection, uint32_t oid);

 private:
  std::map<uint32_t, ValueType> known_;
};

// Questions beside the stream, on a connection of their own. Not thread-safe.
class SideDatabase final : public Database {
 public:
  // `while_waiting` is called now and then as long as something is waited for.
  SideDatabase(postgres::Connection connection, std::vector<TableName> tables,
               std::function<Result<void>()> while_waiting);

  Result<std::vector<ValueType>> value_types(std::span<const uint32_t> oids) override;
  Result<std::vector<std::optional<Values>>> rows(const Lookup& lookup) override;

  Result<XidSnapshot> snapshot() { return current_snapshot(connection_); }
  // Commits a message of ours into the stream.
  Result<void> write_mark(const std::string& prefix, const std::string& content);
  // How much log the slot keeps the server from removing, and how much of it is not confirmed.
  struct SlotBytes {
    double retained = 0;
    double lag = 0;
  };
  Result<SlotBytes> slot_bytes(const std::string& slot);

 private:
  Result<void> begin_seeing(uint32_t xid);

  postgres::Connection connection_;
  const std::vector<TableName> tables_;
  const std::function<Result<void>()> while_waiting_;
  TypeCatalog types_;
};

}  // namespace searchsync::capture
