#pragma once

#include <vector>

#include "lib/base/error.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "query/run/door.h"

namespace searchsync::query {

// Who has a key of the secret that the index names, and what each may ask. declared: of who may ask
// everything.
// Errors: an entry that cannot be read, or does not fit the index; the secret cannot be read. With
// a key that is half understood nobody is served.
Result<std::vector<Caller>> read_callers(const model::FolderSecrets& secrets,
                                         const model::PipelineConfig& config,
                                         const Rules& declared);

}  // namespace searchsync::query
