#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/resources.h"
#include "operator/plan/catalog.h"

namespace searchsync::plan {

inline constexpr size_t kFieldsMax = 1000;  // of one index: the engines' own default

// A field by which documents of two indices can belong together.
struct RelatingField {
  std::string path;  // "email.keyword"
  bool whole_number = false;
};

// The documents of one table.
struct TableFields {
  std::string mappings;  // of the index, JSON
  std::vector<model::FieldMapping> fields;
  std::map<std::string, RelatingField> relating;  // by column
  size_t count = 0;                               // of fields and sub-fields
};

// One field a column, of the column's name where an index can have it. overrides: mappings by
// column, JSON. Columns that the database generates are not there: the change stream has them not.
TableFields fields_of(const CatalogTable& table, std::span<const ForeignKey> foreign_keys,
                      std::string_view overrides);

}  // namespace searchsync::plan
