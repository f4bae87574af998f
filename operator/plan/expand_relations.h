#pragma once

#include <map>
#include <vector>

#include "operator/plan/catalog.h"
#include "operator/plan/expand.h"
#include "operator/plan/table_fields.h"

namespace searchsync::plan {

// Gives each index its relations, from the foreign keys between tables that are kept, both ways:
// named by the other table, or, where several lead to it, "<table>-by-<column>" on the side that
// refers and "<table>-with-<column>" on the other. A key of several columns, and one whose fields
// cannot be compared, gives none.
void add_relations(const Catalog& catalog, const std::map<TableName, TableFields>& fields,
                   std::vector<KeptTable>& kept);

}  // namespace searchsync::plan
