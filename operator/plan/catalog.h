#pragma once

// What a database says of its own tables, as one reading found it.

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace searchsync::plan {

enum class TypeClass { kBase, kEnum, kComposite, kRange };

struct CatalogColumn {
  std::string name;
  std::string type;  // pg_type.typname, of a domain's base, of an array's elements: "int4"
  TypeClass type_class = TypeClass::kBase;
  bool array = false;
  int32_t length = 0;     // of varchar(n), char(n); 0: no bound
  int32_t precision = 0;  // of numeric(p,s); 0: no bound
  int32_t scale = 0;
  bool generated = false;  // by the database: it is not in the change stream
  friend bool operator==(const CatalogColumn&, const CatalogColumn&) = default;
};

struct TableName {
  std::string schema;
  std::string table;
  friend auto operator<=>(const TableName&, const TableName&) = default;
};

// "schema.table"
std::string to_string(const TableName& name);

enum class TableKind { kTable, kPartitioned, kForeign };
enum class Identity { kKey, kIndex, kFull, kNothing };

struct CatalogTable {
  TableName name;
  TableKind kind = TableKind::kTable;
  bool partition = false;  // its rows are those of the table it is a partition of
  bool logged = true;
  Identity identity = Identity::kKey;
  bool readable = true;     // by the user of the secret
  bool publishable = true;  // by that user; or published already
  std::vector<CatalogColumn> columns;
  // Of the index that the replica identity names, or else of the primary key; none: empty
  std::vector<std::string> key;
  bool key_deferrable = false;
  std::string revision;  // another one after each ALTER TABLE of columns, key or partitions
  friend bool operator==(const CatalogTable&, const CatalogTable&) = default;
};

// Of one column.
struct ForeignKey {
  TableName from;
  std::string column;
  TableName to;
  std::string to_column;
  friend auto operator<=>(const ForeignKey&, const ForeignKey&) = default;
};

struct Catalog {
  std::string user;                      // of the secret
  std::vector<CatalogTable> tables;      // in order of name
  std::vector<ForeignKey> foreign_keys;  // in order
  friend bool operator==(const Catalog&, const Catalog&) = default;
};

}  // namespace searchsync::plan
