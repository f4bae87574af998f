#pragma once

// What `kubectl apply` makes of an object. Pure.

#include <nlohmann/json_fwd.hpp>

namespace searchsync::cluster {

// `live`, an object of the cluster, once the object `file` is applied: what `file` says is put in,
// what was applied before and is no longer said goes, and all else stays, whoever wrote it. Lists
// are replaced. As kubectl does, and with --server-side the API server.
nlohmann::json as_applied(const nlohmann::json& live, const nlohmann::json& file);

}  // namespace searchsync::cluster
