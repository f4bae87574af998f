#include "capture/run/prerequisites.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/base/hash.h"
#include "lib/postgres/quote.h"

namespace searchsync::capture {
namespace {

using postgres::Connection;
using postgres::quote_identifier;
using postgres::quote_qualified;
using postgres::Rows;
using Values = std::vector<std::optional<std::string>>;

constexpr int kOldestVersion = 140000;  // pgoutput's option "messages"
constexpr std::string_view kPublish =
    "publish = 'insert, update, delete, truncate', "
    "publish_via_partition_root = true";

// Faults are collected, so that a person mends all of them at once.
class Faults {
 public:
  template <class... T>
  void add(fmt::format_string<T...> format, T&&... values) {
    lines_.push_back(fmt::format(format, std::forward<T>(values)...));
  }
  Result<void> result(std::string_view database) const {
    if (lines_.empty()) return {};
    return fail(ErrorCode::kUnsupported, fmt::format("database {} cannot be captured yet:\n  {}",
                                                     database, fmt::join(lines_, "\n  ")));
  }

 private:
  std::vector<std::string> lines_;
};

std::string table_list(const WantedCapture& wanted) {
  std::vector<std::string> names;
  for (const WantedTable& table : wanted.tables) {
    names.push_back("ONLY " + quote_qualified(table.schema, table.name));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> inspect_server(Connection& connection, const WantedCapture& wanted,
                            SessionFacts& facts, Faults& faults) {
  ASSIGN_OR_RETURN(const Rows server,
                   connection.query("SELECT current_setting('wal_level'), pg_is_in_recovery(), "
                                    "(SELECT rolreplication OR rolsuper FROM pg_roles "
                                    " WHERE rolname = current_user), "
                                    "current_setting('max_replication_slots')::int, "
                                    "(SELECT count(*) FROM pg_replication_slots), "
                                    "current_setting('max_wal_senders')::int, "
                                    "(SELECT count(*) FROM pg_stat_replication)"));
  if (connection.server_version() < kOldestVersion) {
    faults.add("the server is PostgreSQL {}; 14 or newer is needed",
               connection.server_version() / 10000);
  }
  if (server.text(0, 0) != "logical") {
    faults.add("wal_level is {}; run ALTER SYSTEM SET wal_level = logical; then restart the server",
               server.text(0, 0));
  }
  if (server.text(0, 1) == "t") {
    faults.add("the server is a standby; connect to its primary");
    return {};
  }
  if (server.text(0, 2) != "t") {
    faults.add("user {} may not replicate; run ALTER ROLE {} REPLICATION;", connection.user(),
               quote_identifier(connection.user()));
  }
  ASSIGN_OR_RETURN(
      const Rows slot,
      connection.query("SELECT plugin, coalesce(wal_status = 'lost', false), "
                       "coalesce(confirmed_flush_lsn, '0/0'), database, coalesce(active, false) "
                       "FROM pg_replication_slots WHERE slot_name = $1",
                       Values{wanted.slot}));
  if (slot.size() == 0) {
    const auto number = [&](size_t column) {
      return std::stoi(std::string(server.text(0, column)));
    };
    if (number(4) >= number(3)) {
      faults.add(
          "all {} replication slots are in use; drop one that nobody needs (SELECT "
          "slot_name, active FROM pg_replication_slots; SELECT "
          "pg_drop_replication_slot('…');) or run ALTER SYSTEM SET max_replication_slots = "
          "{}; then restart the server",
          number(3), number(3) + 4);
    }
    if (number(6) >= number(5)) {
      faults.add(
          "all {} WAL senders are in use; run ALTER SYSTEM SET max_wal_senders = {}; then "
          "restart the server",
          number(5), number(5) + 4);
    }
  } else if (slot.text(0, 0) != "pgoutput" || slot.text(0, 3) != connection.database()) {
    faults.add(
        "replication slot {} is of database {} with plugin {}, not ours; choose another name "
        "for the secret, or run SELECT pg_drop_replication_slot('{}');",
        wanted.slot, slot.text(0, 3), slot.text(0, 0), wanted.slot);
  } else {
    facts.slot.exists = true;
    facts.slot.lost = slot.text(0, 1) == "t";
    ASSIGN_OR_RETURN(facts.slot.confirmed, postgres::parse_lsn(slot.text(0, 2)));
  }
  ASSIGN_OR_RETURN(const Rows log, connection.query("SELECT pg_current_wal_flush_lsn()"));
  ASSIGN_OR_RETURN(facts.written, postgres::parse_lsn(log.text(0, 0)));
  return {};
}

// The columns of the index that tells rows apart: of the replica identity index where one was
// chosen, else of the primary key. Adds the fault if there is none.
Result<std::vector<std::string>> key_columns(Connection& connection, const std::string& oid,
                                             const std::string& name, std::string_view identity,
                                             Faults& faults) {
  ASSIGN_OR_RETURN(
      const Rows indices,
      connection.query("SELECT i.indisprimary, i.indisreplident, i.indimmediate, a.attname "
                       "FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, place), "
                       "pg_attribute a "
                       "WHERE i.indrelid = $1::oid AND i.indisvalid AND k.place <= i.indnkeyatts "
                       "AND (i.indisprimary OR i.indisreplident) "
                       "AND a.attrelid = i.indrelid AND a.attnum = k.attnum "
                       "ORDER BY i.indexrelid, k.place",
                       Values{oid}));
  const size_t kind = identity == "i" ? 1 : 0;
  std::vector<std::string> columns;
  bool immediate = true;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices.text(i, kind) != "t") continue;
    columns.emplace_back(indices.text(i, 3));
    immediate = immediate && indices.text(i, 2) == "t";
  }
  if (identity == "n") {
    faults.add(
        "table {} has replica identity nothing; run ALTER TABLE {} REPLICA IDENTITY DEFAULT;", name,
        name);
  } else if (columns.empty()) {
    faults.add(
        "table {} has no primary key; run ALTER TABLE {} ADD PRIMARY KEY (…); or, with a "
        "unique index on columns that are NOT NULL, ALTER TABLE {} REPLICA IDENTITY USING "
        "INDEX …;",
        name, name, name);
  } else if (!immediate) {
    faults.add(
        "the primary key of table {} is deferrable, which gives its rows no identity; make "
        "it anew without DEFERRABLE",
        name);
  }
  return columns;
}

// Of those that have rows themselves. A file of no length has none.
Result<void> inspect_partitions(Connection& connection, const std::string& oid, TableFacts& facts) {
  ASSIGN_OR_RETURN(
      const Rows partitions,
      connection.query("SELECT format('%s:%s', c.oid, c.relfilenode), pg_relation_size(c.oid) > 0 "
                       "FROM pg_partition_tree($1::oid) t JOIN pg_class c ON c.oid = t.relid "
                       "WHERE t.isleaf",
                       Values{oid}));
  for (size_t i = 0; i < partitions.size(); ++i) {
    facts.make.partitions.emplace(partitions.text(i, 0));
    if (partitions.text(i, 1) != "f") facts.filled.emplace(partitions.text(i, 0));
  }
  return {};
}

Result<void> inspect_table(Connection& connection, const WantedTable& wanted, TableFacts& facts,
                           bool& owned, Faults& faults) {
  const std::string name = quote_qualified(wanted.schema, wanted.name);
  facts.schema = wanted.schema;
  facts.name = wanted.name;
  facts.topic = wanted.topic;
  ASSIGN_OR_RETURN(const Rows table,
                   connection.query("SELECT c.oid, c.relkind, c.relpersistence, c.relreplident, "
                                    "has_table_privilege(c.oid, 'SELECT') "
                                    "AND has_schema_privilege(n.oid, 'USAGE'), "
                                    "pg_has_role(c.relowner, 'USAGE'), c.relfilenode "
                                    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                    "WHERE n.nspname = $1 AND c.relname = $2",
                                    Values{wanted.schema, wanted.name}));
  if (table.size() == 0) {
    faults.add("table {} does not exist; create it, or take it out of its SourceBinding", name);
    owned = true;
    return {};
  }
  const std::string oid(table.text(0, 0));
  const std::string_view kind = table.text(0, 1);
  if ((kind != "r" && kind != "p") || table.text(0, 2) != "p") {
    faults.add(
        "{} is no ordinary logged table; only tables and partitioned tables have changes "
        "in the log (for an unlogged one, run ALTER TABLE {} SET LOGGED;)",
        name, name);
    return {};
  }
  if (table.text(0, 4) != "t") {
    const std::string user = quote_identifier(connection.user());
    faults.add(
        "user {} may not read table {}; run GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT ON "
        "{} TO {};",
        connection.user(), name, quote_identifier(wanted.schema), user, name, user);
  }
  owned = table.text(0, 5) == "t";
  ASSIGN_OR_RETURN(facts.key_columns, key_columns(connection, oid, name, table.text(0, 3), faults));
  ASSIGN_OR_RETURN(const Rows columns,
                   connection.query("SELECT attname, atttypid, attnum, atttypmod, xmin "
                                    "FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 "
                                    "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
                                    Values{oid}));
  FormHash hash;
  std::string places;
  std::string alterations;
  for (size_t i = 0; i < columns.size(); ++i) {
    hash.add(columns.text(i, 0),
             static_cast<uint32_t>(std::stoul(std::string(columns.text(i, 1)))));
    places += fmt::format("{} {} {} {}\n", columns.text(i, 2), columns.text(i, 0),
                          columns.text(i, 1), columns.text(i, 3));
    alterations += fmt::format("{} {}\n", columns.text(i, 2), columns.text(i, 4));
  }
  facts.form = hash.text();
  facts.make = {.oid = oid,
                .columns = stable_hash_hex(places, 16),
                .file = std::string(table.text(0, 6)),
                .alterations = stable_hash_hex(alterations, 16),
                .partitions = {}};
  return kind == "p" ? inspect_partitions(connection, oid, facts) : Result<void>{};
}

Result<void> inspect_publication(Connection& connection, const WantedCapture& wanted,
                                 const std::vector<std::string>& not_owned, Inspected& inspected,
                                 Faults& faults) {
  ASSIGN_OR_RETURN(const Rows publication,
                   connection.query("SELECT pg_has_role(pubowner, 'USAGE'), puballtables, "
                                    "pubinsert AND pubupdate AND pubdelete AND pubtruncate "
                                    "AND pubviaroot FROM pg_publication WHERE pubname = $1",
                                    Values{wanted.publication}));
  inspected.facts.publication_exists = publication.size() > 0;
  bool settings_fit = false;
  std::vector<std::pair<std::string, std::string>> missing;
  for (const WantedTable& table : wanted.tables) missing.emplace_back(table.schema, table.name);
  if (publication.size() > 0) {
    settings_fit = publication.text(0, 1) == "f" && publication.text(0, 2) == "t";
    ASSIGN_OR_RETURN(const Rows tables,
                     connection.query("SELECT n.nspname, c.relname FROM pg_publication_rel r "
                                      "JOIN pg_publication p ON p.oid = r.prpubid "
                                      "JOIN pg_class c ON c.oid = r.prrelid "
                                      "JOIN pg_namespace n ON n.oid = c.relnamespace "
                                      "WHERE p.pubname = $1",
                                      Values{wanted.publication}));
    for (size_t i = 0; i < tables.size(); ++i) {
      const std::pair entry(std::string(tables.text(i, 0)), std::string(tables.text(i, 1)));
      if (std::erase(missing, entry) == 0) {
        inspected.publication_extra.push_back(entry.first + "." + entry.second);
      }
    }
  }
  inspected.publication_fits =
      settings_fit && missing.empty() && inspected.publication_extra.empty();
  if (inspected.publication_fits) return {};
  if (publication.size() > 0 && publication.text(0, 0) != "t") {
    faults.add(
        "publication {} has not the tables it must have and is owned by another role; run "
        "ALTER PUBLICATION {} SET TABLE {}; as its owner, or ALTER PUBLICATION {} OWNER TO "
        "{};",
        wanted.publication, quote_identifier(wanted.publication), table_list(wanted),
        quote_identifier(wanted.publication), quote_identifier(connection.user()));
    return {};
  }
  ASSIGN_OR_RETURN(const Rows may_create,
                   connection.query("SELECT has_database_privilege(current_database(), 'CREATE')"));
  const bool may_make = publication.size() > 0 || may_create.text(0, 0) == "t";
  if (may_make && not_owned.empty()) return {};
  faults.add(
      "user {} may not publish {}; as a superuser run CREATE PUBLICATION {} FOR TABLE {} "
      "WITH ({});  (drop an older one of that name first), or make the user owner of the "
      "tables and run GRANT CREATE ON DATABASE {} TO {};",
      connection.user(),
      not_owned.empty() ? "tables in this database" : fmt::format("{}", fmt::join(not_owned, ", ")),
      quote_identifier(wanted.publication), table_list(wanted), kPublish,
      quote_identifier(connection.database()), quote_identifier(connection.user()));
  return {};
}

}  // namespace

Result<Inspected> inspect(Connection& connection, const WantedCapture& wanted) {
  Inspected inspected;
  Faults faults;
  inspected.facts.capture_name = wanted.name;
  RETURN_IF_ERROR(inspect_server(connection, wanted, inspected.facts, faults));
  std::vector<std::string> not_owned;
  for (const WantedTable& table : wanted.tables) {
    bool owned = false;
    TableFacts& facts = inspected.facts.tables.emplace_back();
    RETURN_IF_ERROR(inspect_table(connection, table, facts, owned, faults));
    if (!owned) not_owned.push_back(quote_qualified(table.schema, table.name));
  }
  RETURN_IF_ERROR(inspect_publication(connection, wanted, not_owned, inspected, faults));
  RETURN_IF_ERROR(faults.result(connection.database()));
  return inspected;
}

Result<void> fit_publication(Connection& connection, const WantedCapture& wanted,
                             const Inspected& inspected) {
  if (inspected.publication_fits) return {};
  const std::string name = quote_identifier(wanted.publication);
  if (!inspected.facts.publication_exists) {
    RETURN_IF_ERROR(connection.query(fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH ({})",
                                                 name, table_list(wanted), kPublish)));
    return {};
  }
  RETURN_IF_ERROR(connection.query(fmt::format("ALTER PUBLICATION {} SET ({})", name, kPublish)));
  RETURN_IF_ERROR(
      connection.query(fmt::format("ALTER PUBLICATION {} SET TABLE {}", name, table_list(wanted))));
  return {};
}

}  // namespace searchsync::capture
