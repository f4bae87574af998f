#pragma once

// How an object that is there already is made to be as declared. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace searchsync::cluster {

// Who applied the object on the server's side, as the API knows them; empty: nobody, or kubectl did
// it from its own side at least once.
std::string server_side_manager(const nlohmann::json& live);

// Otherwise what kubectl sends, see three_way_patch(): with what it applied before.
nlohmann::json apply_patch(const nlohmann::json& live, const nlohmann::json& file);

// A patch by RFC 7396: what `now` says and `live` does not have, and away with what `before` said
// and `now` does not. All else of `live` stays.
nlohmann::json three_way_patch(const nlohmann::json& live, const nlohmann::json& before,
                               const nlohmann::json& now);

}  // namespace searchsync::cluster
