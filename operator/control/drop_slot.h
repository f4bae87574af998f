#pragma once

#include "lib/base/error.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"

namespace searchsync::control {

// Drops the replication slot of a capture whose processes are gone, and its publication. What is
// not there, or of another plugin or database, is left as it is; so is a publication of another
// owner, which keeps nothing.
// Errors: kUnavailable, also while somebody reads from the slot; kPermission; kNotFound for the
// secret or the database.
Result<void> drop_slot(const model::CaptureConfig& capture, const model::SecretStore& secrets);

}  // namespace searchsync::control
