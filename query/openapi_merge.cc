#include "query/openapi_merge.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lib/base/check.h"

namespace searchsync::query {
namespace {

using Json = nlohmann::json;

// Names of components are of letters, digits, dots, _ and -.
std::string component_prefix(std::string_view name) {
  std::string prefix;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    prefix += plain ? c : '_';
  }
  return prefix + ".";
}

// "#/components/schemas/Hit" becomes "#/components/schemas/orders.Hit".
void rename_references(Json& node, const std::string& prefix) {
  if (node.is_array()) {
    for (Json& item : node) rename_references(item, prefix);
  }
  if (!node.is_object()) return;
  for (auto& [key, value] : node.items()) {
    constexpr std::string_view kComponents = "#/components/";
    if (key == "$ref" && value.is_string() &&
        value.get_ref<const std::string&>().starts_with(kComponents)) {
      auto reference = value.get<std::string>();
      reference.insert(reference.rfind('/') + 1, prefix);
      value = std::move(reference);
    } else {
      rename_references(value, prefix);
    }
  }
}

}  // namespace

std::string merge_openapi(std::string_view title,
                          std::span<const std::pair<std::string, std::string>> documents) {
  CHECK(!documents.empty());
  Json merged;
  for (const auto& [name, text] : documents) {
    Json one = Json::parse(text);
    const std::string prefix = component_prefix(name);
    rename_references(one, prefix);
    if (merged.is_null()) {
      merged = one;
      merged["info"]["title"] = title;
      merged["info"]["description"] = fmt::format("Queries over the tables of {}.", title);
      merged["paths"] = Json::object();
      for (const char* kind : {"schemas", "parameters", "responses"}) {
        merged["components"][kind] = Json::object();
      }
    }
    for (const char* kind : {"schemas", "parameters", "responses"}) {
      for (auto& [component, value] : one["components"][kind].items()) {
        merged["components"][kind][prefix + component] = std::move(value);
      }
    }
    for (auto& [path, operations] : one["paths"].items()) {
      if (merged["paths"].contains(path)) continue;
      const bool own = path.starts_with("/v1/");
      for (auto& [method, operation] : operations.items()) {
        if (own && operation.contains("operationId")) {
          operation["operationId"] = prefix + operation["operationId"].get<std::string>();
        }
      }
      merged["paths"][path] = std::move(operations);
    }
  }
  return merged.dump();
}

}  // namespace searchsync::query
