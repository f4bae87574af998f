#include "operator/control/catalog_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

#include "lib/base/hash.h"

namespace searchsync::control {
namespace {

using postgres::Connection;
using postgres::Rows;
using Values = std::vector<std::optional<std::string>>;

// c and n: those that can be kept at all.
constexpr std::string_view kOwnTables =
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname <> 'information_schema' "
    "AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend d "
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";

constexpr std::string_view kTables =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.relpersistence, "
    "c.relreplident, has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, "
    "'USAGE'), pg_has_role(c.relowner, 'USAGE') OR EXISTS (SELECT FROM pg_publication_rel r "
    " JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname = $1), "
    "CASE WHEN c.relkind = 'p' AND NOT c.relispartition THEN (SELECT "
    " string_agg(format('%s:%s', l.oid, l.relfilenode), ' ' ORDER BY l.oid) "
    " FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) END {} "
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

// A domain is what it is made of, and so are an array's elements.
constexpr std::string_view kColumns =
    "WITH RECURSIVE base(oid, target, typmod) AS ("
    " SELECT oid, oid, -1 FROM pg_type WHERE typtype <> 'd' UNION ALL"
    " SELECT d.oid, b.target, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod ELSE b.typmod END"
    " FROM pg_type d JOIN base b ON b.oid = d.typbasetype WHERE d.typtype = 'd'), "
    "own AS (SELECT c.oid {}) "
    "SELECT a.attrelid, a.attname, coalesce(e.typname, t.typname), coalesce(e.typtype, t.typtype), "
    "e.oid IS NOT NULL, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.typmod END, "
    "a.attgenerated <> '', a.attnum, a.atttypid, a.xmin "
    "FROM own JOIN pg_attribute a ON a.attrelid = own.oid "
    "JOIN base b ON b.oid = a.atttypid JOIN pg_type t ON t.oid = b.target "
    // Fixed-length types such as point have elements, too, and are no arrays.
    "LEFT JOIN base eb ON eb.oid = t.typelem AND t.typcategory = 'A' "
    "LEFT JOIN pg_type e ON e.oid = eb.target "
    "WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

constexpr std::string_view kKeys =
    "WITH own AS (SELECT c.oid {}) "
    "SELECT i.indrelid, i.indisprimary, i.indisreplident, i.indimmediate, a.attname "
    "FROM own JOIN pg_index i ON i.indrelid = own.oid, "
    "unnest(i.indkey) WITH ORDINALITY k(attnum, place), pg_attribute a "
    "WHERE i.indisvalid AND k.place <= i.indnkeyatts AND (i.indisprimary OR i.indisreplident) "
    "AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY i.indexrelid, k.place";

// Not those that partitions have of the table they belong to.
constexpr std::string_view kForeignKeys =
    "SELECT k.conrelid, f.attname, k.confrelid, t.attname FROM pg_constraint k "
    "JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[1] "
    "JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = k.confkey[1] "
    "WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND k.conparentid = 0";

int32_t number(std::string_view text) {
  int32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

plan::Identity identity_of(std::string_view code) {
  if (code == "n") return plan::Identity::kNothing;
  if (code == "f") return plan::Identity::kFull;
  return code == "i" ? plan::Identity::kIndex : plan::Identity::kKey;
}

plan::TypeClass class_of(std::string_view code) {
  if (code == "e") return plan::TypeClass::kEnum;
  if (code == "c") return plan::TypeClass::kComposite;
  return code == "r" || code == "m" ? plan::TypeClass::kRange : plan::TypeClass::kBase;
}

// A type's modifier has lengths with four more, and of numbers both bounds in one.
// Source: PostgreSQL, src/backend/utils/adt/numeric.c, make_numeric_typmod().
void set_bounds(plan::CatalogColumn& column, int32_t modifier) {
  constexpr int32_t kHeader = 4;
  if (modifier < kHeader) return;
  const int32_t value = modifier - kHeader;
  if (column.type == "varchar" || column.type == "bpchar") column.length = value;
  if (column.type != "numeric") return;
  column.precision = (value >> 16) & 0xffff;
  column.scale = ((value & 0x7ff) ^ 1024) - 1024;  // of eleven bits, the highest its sign
}

class Reading {
 public:
  Reading(Connection& connection, const std::string& publication)
      : connection_(connection), publication_(publication) {}

  Result<plan::Catalog> run() {
    RETURN_IF_ERROR(read_tables());
    RETURN_IF_ERROR(read_columns());
    RETURN_IF_ERROR(read_keys());
    RETURN_IF_ERROR(read_foreign_keys());
    plan::Catalog catalog{.user = connection_.user(), .tables = {}, .foreign_keys = {}};
    for (const std::string& oid : order_) {
      auto& [table, looks] = tables_.at(oid);
      table.revision = stable_hash_hex(looks, 16);
      catalog.tables.push_back(std::move(table));
    }
    catalog.foreign_keys = std::move(foreign_keys_);
    std::ranges::sort(catalog.tables, {}, &plan::CatalogTable::name);
    std::ranges::sort(catalog.foreign_keys);
    return catalog;
  }

 private:
  struct Table {
    plan::CatalogTable table;
    std::string looks;  // all that an ALTER TABLE of columns, key or partitions changes
  };

  Result<void> read_tables() {
    ASSIGN_OR_RETURN(const Rows rows,
                     connection_.query(fmt::format(kTables, kOwnTables), Values{publication_}));
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string_view kind = rows.text(i, 3);
      order_.emplace_back(rows.text(i, 0));
      tables_[order_.back()] = {
          .table = {.name = {std::string(rows.text(i, 1)), std::string(rows.text(i, 2))},
                    .kind = kind == "f"   ? plan::TableKind::kForeign
                            : kind == "p" ? plan::TableKind::kPartitioned
                                          : plan::TableKind::kTable,
                    .partition = rows.text(i, 4) == "t",
                    .logged = rows.text(i, 5) == "p",
                    .identity = identity_of(rows.text(i, 6)),
                    .readable = rows.text(i, 7) == "t",
                    .publishable = rows.text(i, 8) == "t",
                    .columns = {},
                    .key = {},
                    .revision = ""},
          .looks = fmt::format("{} {} {}\n", rows.text(i, 0), rows.text(i, 6), rows.text(i, 9))};
    }
    return {};
  }

  Result<void> read_columns() {
    ASSIGN_OR_RETURN(const Rows rows, connection_.query(fmt::format(kColumns, kOwnTables)));
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto found = tables_.find(std::string(rows.text(i, 0)));
      if (found == tables_.end()) continue;
      plan::CatalogColumn column{.name = std::string(rows.text(i, 1)),
                                 .type = std::string(rows.text(i, 2)),
                                 .type_class = class_of(rows.text(i, 3)),
                                 .array = rows.text(i, 4) == "t",
                                 .generated = rows.text(i, 6) == "t"};
      set_bounds(column, number(rows.text(i, 5)));
      found->second.looks += fmt::format("{} {} {} {} {}\n", rows.text(i, 7), column.name,
                                         rows.text(i, 8), rows.text(i, 5), rows.text(i, 9));
      found->second.table.columns.push_back(std::move(column));
    }
    return {};
  }

  Result<void> read_keys() {
    ASSIGN_OR_RETURN(const Rows rows, connection_.query(fmt::format(kKeys, kOwnTables)));
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto found = tables_.find(std::string(rows.text(i, 0)));
      if (found == tables_.end()) continue;
      plan::CatalogTable& table = found->second.table;
      const size_t kind = table.identity == plan::Identity::kIndex ? 2 : 1;
      if (rows.text(i, kind) != "t") continue;
      table.key.emplace_back(rows.text(i, 4));
      if (rows.text(i, 3) != "t") table.key_deferrable = true;
      found->second.looks += fmt::format("key {}\n", rows.text(i, 4));
    }
    return {};
  }

  Result<void> read_foreign_keys() {
    ASSIGN_OR_RETURN(const Rows rows, connection_.query(std::string(kForeignKeys)));
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto from = tables_.find(std::string(rows.text(i, 0)));
      const auto to = tables_.find(std::string(rows.text(i, 2)));
      if (from == tables_.end() || to == tables_.end()) continue;
      foreign_keys_.push_back({from->second.table.name, std::string(rows.text(i, 1)),
                               to->second.table.name, std::string(rows.text(i, 3))});
    }
    return {};
  }

  Connection& connection_;
  const std::string& publication_;
  std::vector<std::string> order_;       // oids
  std::map<std::string, Table> tables_;  // by oid
  std::vector<plan::ForeignKey> foreign_keys_;
};

}  // namespace

Result<plan::Catalog> read_catalog(Connection& connection, const std::string& publication) {
  RETURN_IF_ERROR(connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  auto catalog = Reading(connection, publication).run();
  const auto ended = connection.query("ROLLBACK");
  if (catalog && !ended) return std::unexpected(ended.error());
  return catalog;
}

}  // namespace searchsync::control
