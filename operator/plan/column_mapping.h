#pragma once

#include <string>

#include "lib/model/resources.h"
#include "operator/plan/catalog.h"

namespace searchsync::plan {

// What a column's values are compared by.
enum class ColumnUse {
  kValue,
  kKey,  // it tells rows apart, or refers to those of another table
};

// How a column is a field of the index. Total: a type that nobody has heard of is a keyword.
struct ColumnMapping {
  std::string mapping;  // JSON, as the search engines take it
  model::FieldType type = model::FieldType::kAuto;
};

// docs/database.md has this as a table.
ColumnMapping map_column(const CatalogColumn& column, ColumnUse use);

}  // namespace searchsync::plan
