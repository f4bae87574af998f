#include "capture/run/side_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "lib/postgres/quote.h"

namespace searchsync::capture {
namespace {

using postgres::Connection;
using postgres::quote_identifier;
using postgres::Rows;
using Parameters = std::vector<std::optional<std::string>>;

uint32_t oid_of(std::string_view text) {
  return static_cast<uint32_t>(std::stoul(std::string(text)));
}

// Ends the transaction on every path; if that fails the connection is gone anyway.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection) : connection_(connection) {}
  ~ReadTransaction() { (void)connection_.query("ROLLBACK"); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Connection& connection_;
};

}  // namespace

Result<ReadableColumns> readable_columns(Connection& connection, const TableName& table) {
  ASSIGN_OR_RETURN(
      const Rows rows,
      connection.query("SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relkind = 'p' "
                       "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                       "JOIN pg_namespace n ON n.oid = c.relnamespace "
                       "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 "
                       "AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
                       Parameters{table.schema, table.name}));
  ReadableColumns columns;
  std::map<std::string_view, std::string_view> types;
  for (size_t i = 0; i < rows.size(); ++i) {
    columns.names.emplace_back(rows.text(i, 0));
    types[rows.text(i, 0)] = rows.text(i, 1);
    columns.partitioned = rows.text(i, 2) == "t";
  }
  for (const std::string& column : table.key_columns) {
    if (!types.contains(column)) {
      return fail(ErrorCode::kNotFound, fmt::format("table {}.{} or its key column {} is gone",
                                                    table.schema, table.name, column));
    }
    columns.key.emplace_back(column, types[column]);
  }
  return columns;
}

Result<XidSnapshot> current_snapshot(Connection& connection) {
  ASSIGN_OR_RETURN(const Rows rows, connection.query("SELECT pg_current_snapshot()"));
  return XidSnapshot::parse(rows.text(0, 0));
}

Result<ValueType> TypeCatalog::type(Connection& connection, uint32_t oid) {
  if (const auto builtin = builtin_type(oid)) return *builtin;
  if (const auto known = known_.find(oid); known != known_.end()) return known->second;
  // A domain is as its base type; a domain may be over a domain, or over an array.
  ASSIGN_OR_RETURN(
      const Rows rows,
      connection.query("WITH RECURSIVE base(oid, typtype, typbasetype, typelem, typsubscript) AS ("
                       " SELECT oid, typtype, typbasetype, typelem, typsubscript FROM pg_type "
                       " WHERE oid = $1::oid"
                       " UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typelem, "
                       " t.typsubscript FROM pg_type t JOIN base b ON b.typtype = 'd' "
                       " AND t.oid = b.typbasetype) "
                       "SELECT b.oid, CASE WHEN b.typsubscript::text = 'array_subscript_handler' "
                       "THEN b.typelem ELSE 0 END, coalesce(e.typdelim, ',') "
                       "FROM base b LEFT JOIN pg_type e ON e.oid = b.typelem "
                       "WHERE b.typtype <> 'd'",
                       Parameters{std::to_string(oid)}));
  ValueType type;  // unknown: its text
  if (rows.size() == 1) {
    const uint32_t base = oid_of(rows.text(0, 0));
    const uint32_t element = oid_of(rows.text(0, 1));
    const std::string delimiter(rows.text(0, 2));
    if (element != 0) {
      ASSIGN_OR_RETURN(type, this->type(connection, element));
      type.array_delimiter = delimiter.empty() ? ',' : delimiter[0];
    } else {
      type = builtin_type(base).value_or(ValueType{});
    }
  }
  known_[oid] = type;
  return type;
}

SideDatabase::SideDatabase(Connection connection, std::vector<TableName> tables,
                           std::function<Result<void>()> while_waiting)
    : connection_(std::move(connection)),
      tables_(std::move(tables)),
      while_waiting_(std::move(while_waiting)) {}

Result<std::vector<ValueType>> SideDatabase::value_types(std::span<const uint32_t> oids) {
  std::vector<ValueType> types;
  for (const uint32_t oid : oids) {
    ASSIGN_OR_RETURN(types.emplace_back(), types_.type(connection_, oid));
  }
  return types;
}

// A transaction comes through the stream before queries see it; how long before depends on its
// standbys.
Result<void> SideDatabase::begin_seeing(uint32_t xid) {
  while (true) {
    RETURN_IF_ERROR(connection_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    ASSIGN_OR_RETURN(const XidSnapshot snapshot, current_snapshot(connection_));
    if (snapshot.sees(xid)) return {};
    RETURN_IF_ERROR(connection_.query("ROLLBACK"));
    RETURN_IF_ERROR(while_waiting_());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

Result<std::vector<std::optional<Database::Values>>> SideDatabase::rows(const Lookup& lookup) {
  const TableName& table = tables_[lookup.table];
  std::vector<std::optional<Values>> found(lookup.keys.size());
  RETURN_IF_ERROR(begin_seeing(lookup.xid));
  const ReadTransaction transaction(connection_);
  auto readable = readable_columns(connection_, table);
  if (!readable) {
    // The table went away after the change: so did its rows.
    if (readable.error().code == ErrorCode::kNotFound) return found;
    return std::unexpected(std::move(readable).error());
  }
  std::string arrays;
  std::string names;
  std::string match;
  Parameters parameters;
  for (size_t k = 0; k < readable->key.size(); ++k) {
    const auto& [column, type] = readable->key[k];
    arrays += fmt::format("${}::text[], ", k + 1);
    names += fmt::format("k{}, ", k);
    match +=
        fmt::format("{}t.{} = w.k{}::{}", k > 0 ? " AND " : "", quote_identifier(column), k, type);
    std::vector<std::string> values;
    for (const auto& key : lookup.keys) values.push_back(key[k]);
    parameters.emplace_back(postgres::array_literal(values));
  }
  arrays.resize(arrays.size() - 2);
  std::string columns;
  for (const std::string& column : lookup.columns) {
    const bool there = std::ranges::find(readable->names, column) != readable->names.end();
    columns += there ? ", t." + quote_identifier(column) : ", NULL";
  }
  ASSIGN_OR_RETURN(
      const Rows rows,
      connection_.query(fmt::format("SELECT w.n{} FROM unnest({}) WITH ORDINALITY w({}n) JOIN "
                                    "{}{} t ON {}",
                                    columns, arrays, names, readable->partitioned ? "" : "ONLY ",
                                    postgres::quote_qualified(table.schema, table.name), match),
                        parameters));
  for (size_t r = 0; r < rows.size(); ++r) {
    Values& values = found[std::stoul(std::string(rows.text(r, 0))) - 1].emplace();
    for (size_t c = 1; c < rows.columns(); ++c) {
      const auto text = rows.at(r, c);
      values.push_back(text ? std::optional(std::string(*text)) : std::nullopt);
    }
  }
  return found;
}

Result<void> SideDatabase::write_mark(const std::string& prefix, const std::string& content) {
  RETURN_IF_ERROR(connection_.query("SELECT pg_logical_emit_message(true, $1, $2)",
                                    Parameters{prefix, content}));
  return {};
}

Result<SideDatabase::SlotBytes> SideDatabase::slot_bytes(const std::string& slot) {
  ASSIGN_OR_RETURN(const Rows rows,
                   connection_.query(
                       "SELECT pg_current_wal_lsn() - restart_lsn, "
                       "pg_current_wal_lsn() - confirmed_flush_lsn "
                       "FROM pg_replication_slots WHERE slot_name = $1 AND restart_lsn IS NOT NULL",
                       Parameters{slot}));
  if (rows.size() == 0) return SlotBytes{};
  return SlotBytes{.retained = std::stod(std::string(rows.text(0, 0))),
                   .lag = std::stod(std::string(rows.text(0, 1)))};
}

}  // namespace searchsync::capture
