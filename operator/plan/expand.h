#pragma once

// All tables of a database, from one pair of resources and the database's own catalog.

#include <set>
#include <string>
#include <vector>

#include "lib/model/resources.h"
#include "operator/plan/catalog.h"

namespace searchsync::plan {

// A table that is kept, as a pair of resources of its own.
struct KeptTable {
  TableName table;
  std::string path;  // path_name()
  model::SearchIndex index;
  model::SourceBinding binding;
  friend bool operator==(const KeptTable&, const KeptTable&) = default;
};

// A table that is selected and cannot be kept.
struct RefusedTable {
  std::string table;   // schema.table
  std::string reason;  // with the SQL that mends it
  friend bool operator==(const RefusedTable&, const RefusedTable&) = default;
};

struct Expansion {
  std::vector<KeptTable> kept;        // in order of table
  std::vector<RefusedTable> refused;  // in order of table
  std::vector<std::string> remarks;   // for people: names that no table has, or that others have
  friend bool operator==(const Expansion&, const Expansion&) = default;
};

// index, binding: a pair that validate() accepted, with `tables`. taken: names that are somebody
// else's: of the namespace's SearchIndexes and SourceBindings, and of all aliases. Pure: what
// becomes of one table does not depend on which others there are, but for the relations to them.
Expansion expand(const model::SearchIndex& index, const model::SourceBinding& binding,
                 const Catalog& catalog, const std::set<std::string>& taken);

}  // namespace searchsync::plan
