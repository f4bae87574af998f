#pragma once

#include <nlohmann/json_fwd.hpp>

namespace searchsync::elastic {

// Settings by their whole names, as the engines take them: {"index": {"a": {"b": 1}}},
// {"a": {"b": 1}} and {"index.a.b": 1} are one setting, "index.a.b".
nlohmann::json flat_settings(const nlohmann::json& object);

}  // namespace searchsync::elastic
