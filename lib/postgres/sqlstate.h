#pragma once

#include <string_view>

#include "lib/base/error.h"

namespace searchsync::postgres {

// What a SQLSTATE means to our callers. The one place where this is decided; a class nobody thought
// of is kInternal.
// Source: PostgreSQL, appendix A, "PostgreSQL Error Codes".
ErrorCode code_of_sqlstate(std::string_view sqlstate);

}  // namespace searchsync::postgres
