#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"

namespace searchsync::postgres {

// A byte position in a server's write-ahead log.
using Lsn = Named<uint64_t, struct LsnTag>;

// "16/B374D848", the server's own form.
std::string to_string(Lsn lsn);
// Errors: kMalformed.
Result<Lsn> parse_lsn(std::string_view text);

}  // namespace searchsync::postgres
