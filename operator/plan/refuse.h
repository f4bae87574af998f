#pragma once

#include <string>
#include <string_view>

#include "operator/plan/catalog.h"

namespace searchsync::plan {

// Why a table cannot be kept, with the SQL that mends it where there is one. Empty: it can be.
// What it says is what capture would say when it found the table so, and then captured none.
//
// topic_prefix: of the binding. user: of its secret.
std::string why_refused(const CatalogTable& table, std::string_view topic_prefix,
                        std::string_view user);

}  // namespace searchsync::plan
