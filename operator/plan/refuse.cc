#include "operator/plan/refuse.h"

#include <fmt/core.h>

#include <algorithm>

namespace searchsync::plan {
namespace {

constexpr size_t kKeyColumnsMax = 16;
constexpr size_t kTableBytesMax = 127;  // of a binding's `table`
constexpr size_t kTopicBytesMax = 249;

std::string sql_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    out += c;
    if (c == '"') out += c;
  }
  return out + '"';
}

std::string sql_name(const TableName& name) {
  return sql_name(name.schema) + "." + sql_name(name.table);
}

// Letters, digits, _ and -: what topics can have, and . stands between the two.
bool has_topic_letters(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string name_problem(const CatalogTable& table, std::string_view topic_prefix) {
  const std::string name = to_string(table.name);
  const bool fits = has_topic_letters(table.name.schema) && has_topic_letters(table.name.table);
  if (fits && name.size() <= kTableBytesMax &&
      topic_prefix.size() + 1 + name.size() <= kTopicBytesMax) {
    return "";
  }
  return fmt::format(
      "its topic cannot have its name, which must be of letters, digits, _ and -, and not so long; "
      "run ALTER TABLE {} RENAME TO …;",
      sql_name(table.name));
}

std::string kind_problem(const CatalogTable& table) {
  if (table.kind == TableKind::kForeign) {
    return "it is a foreign table, whose changes are in another server's log; keep it from there";
  }
  if (!table.logged) {
    return fmt::format("it is unlogged: its changes are in no log; run ALTER TABLE {} SET LOGGED;",
                       sql_name(table.name));
  }
  return "";
}

std::string right_problem(const CatalogTable& table, std::string_view user) {
  if (!table.readable) {
    return fmt::format(
        "user {} may not read it; run GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT "
        "ON {} TO {};",
        user, sql_name(table.name.schema), sql_name(user), sql_name(table.name), sql_name(user));
  }
  if (!table.publishable) {
    return fmt::format(
        "user {} may not publish it; run ALTER TABLE {} OWNER TO {}; or make the "
        "user a member of its owner, or add the table to the publication yourself",
        user, sql_name(table.name), sql_name(user));
  }
  return "";
}

std::string key_problem(const CatalogTable& table) {
  const std::string name = sql_name(table.name);
  if (table.identity == Identity::kNothing) {
    return fmt::format(
        "its replica identity is nothing; run ALTER TABLE {} REPLICA IDENTITY "
        "DEFAULT;",
        name);
  }
  if (table.key.empty()) {
    return fmt::format(
        "it has no primary key; run ALTER TABLE {} ADD PRIMARY KEY (…); or, with a "
        "unique index on columns that are NOT NULL, ALTER TABLE {} REPLICA IDENTITY "
        "USING INDEX …;",
        name, name);
  }
  if (table.key_deferrable) {
    return "its primary key is deferrable, which gives its rows no identity; make it anew without "
           "DEFERRABLE";
  }
  if (table.key.size() > kKeyColumnsMax) {
    return fmt::format("its primary key has {} columns; at most {} are possible", table.key.size(),
                       kKeyColumnsMax);
  }
  for (const std::string& column : table.key) {
    const auto found = std::ranges::find(table.columns, column, &CatalogColumn::name);
    if (found == table.columns.end() || found->generated) {
      return fmt::format(
          "column {} of its primary key is generated, and so not in the change "
          "stream; give it another key",
          column);
    }
  }
  return "";
}

}  // namespace

std::string why_refused(const CatalogTable& table, std::string_view topic_prefix,
                        std::string_view user) {
  std::string reason = kind_problem(table);
  if (reason.empty()) reason = name_problem(table, topic_prefix);
  if (reason.empty()) reason = right_problem(table, user);
  if (reason.empty()) reason = key_problem(table);
  return reason;
}

}  // namespace searchsync::plan
