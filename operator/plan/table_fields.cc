#include "operator/plan/table_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/hash.h"
#include "operator/plan/column_mapping.h"

namespace searchsync::plan {
namespace {

using Json = nlohmann::json;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// What documents cannot have in a field's name, or the engines keep for themselves.
std::string field_name(std::string_view column) {
  std::string name;
  for (const char c : column) {
    name += c == '.' || c == '"' || c == '\\' || is_space(c) ? '_' : c;
  }
  return name.starts_with('_') ? "column" + name : name;
}

ColumnUse use_of(const CatalogTable& table, const CatalogColumn& column,
                 std::span<const ForeignKey> foreign_keys) {
  const bool relates = std::ranges::any_of(foreign_keys, [&](const ForeignKey& key) {
    return (key.from == table.name && key.column == column.name) ||
           (key.to == table.name && key.to_column == column.name);
  });
  const bool in_key = std::ranges::find(table.key, column.name) != table.key.end();
  return relates || in_key ? ColumnUse::kKey : ColumnUse::kValue;
}

std::string type_of(const Json& mapping) {
  const auto type = mapping.find("type");
  return type != mapping.end() && type->is_string() ? type->get<std::string>() : "";
}

// Only of what is compared as a whole.
std::optional<RelatingField> relating_at(const std::string& path, const Json& mapping) {
  constexpr std::array<std::string_view, 4> kWhole = {"byte", "short", "integer", "long"};
  const std::string type = type_of(mapping);
  if (std::ranges::find(kWhole, type) != kWhole.end()) return RelatingField{path, true};
  if (type == "keyword" && !mapping.contains("ignore_above") && !mapping.contains("normalizer")) {
    return RelatingField{path, false};
  }
  return std::nullopt;
}

std::optional<RelatingField> relating_field(const std::string& name, const Json& mapping) {
  if (auto found = relating_at(name, mapping)) return found;
  const auto fields = mapping.find("fields");
  if (fields == mapping.end() || !fields->is_object()) return std::nullopt;
  for (const auto& [sub, inner] : fields->items()) {
    if (auto found = relating_at(name + "." + sub, inner)) return found;
  }
  return std::nullopt;
}

size_t count_of(const Json& mapping) {
  size_t count = 1;
  for (const char* inner : {"fields", "properties"}) {
    const auto found = mapping.find(inner);
    if (found == mapping.end() || !found->is_object()) continue;
    for (const auto& [name, one] : found->items()) count += count_of(one);
  }
  return count;
}

}  // namespace

TableFields fields_of(const CatalogTable& table, std::span<const ForeignKey> foreign_keys,
                      std::string_view overrides) {
  TableFields out;
  const Json replaced = Json::parse(overrides, nullptr, false);
  Json properties = Json::object();
  // Columns whose names are fields' go first: the others give way to them.
  std::set<std::string> names;
  for (const CatalogColumn& column : table.columns) {
    if (field_name(column.name) == column.name) names.insert(column.name);
  }
  for (const CatalogColumn& column : table.columns) {
    if (column.generated) continue;
    std::string name = field_name(column.name);
    if (name != column.name && !names.insert(name).second) {
      name += "-" + stable_hash_hex(column.name, 8);
      names.insert(name);
    }
    ColumnMapping mapped = map_column(column, use_of(table, column, foreign_keys));
    Json mapping = Json::parse(mapped.mapping);
    if (replaced.is_object() && replaced.contains(column.name)) mapping = replaced[column.name];
    if (!column.array) {
      if (auto relating = relating_field(name, mapping)) {
        out.relating.emplace(column.name, std::move(*relating));
      }
    }
    out.count += count_of(mapping);
    out.fields.push_back({.from = column.name, .to = name, .type = mapped.type});
    properties[name] = std::move(mapping);
  }
  out.mappings = Json{{"dynamic", "strict"}, {"properties", std::move(properties)}}.dump();
  return out;
}

}  // namespace searchsync::plan
