#pragma once

#include <string>

#include "lib/base/error.h"
#include "lib/postgres/connection.h"
#include "operator/plan/catalog.h"

namespace searchsync::control {

// All tables of the database but those of PostgreSQL itself and of extensions, as of one moment.
// publication: one that may have tables already. Errors: of the connection.
Result<plan::Catalog> read_catalog(postgres::Connection& connection,
                                   const std::string& publication);

}  // namespace searchsync::control
