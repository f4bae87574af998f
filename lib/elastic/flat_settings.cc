#include "lib/elastic/flat_settings.h"

#include <nlohmann/json.hpp>
#include <string>

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

void flatten(const Json& object, const std::string& prefix, Json& flat) {
  for (const auto& [key, value] : object.items()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      flatten(value, path, flat);
    } else {
      flat[path.starts_with("index.") ? path : "index." + path] = value;
    }
  }
}

}  // namespace

Json flat_settings(const Json& object) {
  Json flat = Json::object();
  flatten(object, "", flat);
  return flat;
}

}  // namespace searchsync::elastic
