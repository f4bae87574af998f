#include "query/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/base/utf8.h"
#include "lib/model/fault.h"

namespace searchsync::query {
namespace {

using Json = nlohmann::json;

constexpr int kDepthMax = 32;

FieldKind kind_of(std::string_view type) {
  struct Known {
    std::string_view type;
    FieldKind kind;
  };
  constexpr std::array kKnown{
      Known{"keyword", FieldKind::kKeyword},
      Known{"constant_keyword", FieldKind::kKeyword},
      Known{"wildcard", FieldKind::kKeyword},
      Known{"version", FieldKind::kKeyword},
      Known{"text", FieldKind::kText},
      Known{"match_only_text", FieldKind::kText},
      Known{"search_as_you_type", FieldKind::kText},
      Known{"byte", FieldKind::kInteger},
      Known{"short", FieldKind::kInteger},
      Known{"integer", FieldKind::kInteger},
      Known{"long", FieldKind::kInteger},
      Known{"unsigned_long", FieldKind::kInteger},
      Known{"half_float", FieldKind::kFloating},
      Known{"float", FieldKind::kFloating},
      Known{"double", FieldKind::kFloating},
      Known{"scaled_float", FieldKind::kFloating},
      Known{"boolean", FieldKind::kBoolean},
      Known{"date", FieldKind::kDate},
      Known{"date_nanos", FieldKind::kDate},
      Known{"ip", FieldKind::kIp},
      Known{"object", FieldKind::kObject},
      Known{"nested", FieldKind::kNested},
  };
  const auto* found = std::ranges::find(kKnown, type, &Known::type);
  return found == kKnown.end() ? FieldKind::kOther : found->kind;
}

std::string text_at(const Json& mapping, const char* key) {
  const auto found = mapping.find(key);
  return found != mapping.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The engines take true and "true" alike.
bool is_off(const Json& mapping, const char* key) {
  const auto found = mapping.find(key);
  return found != mapping.end() && (*found == false || *found == "false");
}

class Reader {
 public:
  std::map<std::string, Field, std::less<>> fields;

  Result<void> properties(const Json& properties, const std::string& prefix,
                          const std::string& nested, int depth) {
    if (!properties.is_object() || depth > kDepthMax) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("mappings: the properties of \"{}\" must be an object, nested at most "
                      "{} deep",
                      prefix, kDepthMax));
    }
    for (const auto& [name, mapping] : properties.items()) {
      const std::string path = prefix.empty() ? name : prefix + "." + name;
      if (!mapping.is_object()) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("mappings: field {} must be an object", path));
      }
      RETURN_IF_ERROR(field(mapping, path, nested, depth));
    }
    return {};
  }

  // A field of type alias stands for another one.
  Result<void> resolve_aliases() {
    for (const auto& [path, target] : aliases_) {
      const auto found = fields.find(target);
      if (found == fields.end()) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("mappings: alias {} leads to {}, which is not there", path, target));
      }
      Field field = found->second;
      field.path = path;
      field.multi_field = true;
      fields.emplace(path, std::move(field));
    }
    return {};
  }

 private:
  Result<void> field(const Json& mapping, const std::string& path, const std::string& nested,
                     int depth) {
    std::string type = text_at(mapping, "type");
    if (type.empty()) type = "object";
    if (type == "alias") {
      aliases_.emplace_back(path, text_at(mapping, "path"));
      return {};
    }
    add(mapping, path, type, nested, false);
    const FieldKind kind = kind_of(type);
    if ((kind == FieldKind::kObject || kind == FieldKind::kNested) &&
        mapping.contains("properties")) {
      const bool own = kind == FieldKind::kNested;
      return properties(mapping["properties"], path, own ? path : nested, depth + 1);
    }
    const auto multi = mapping.find("fields");
    if (multi == mapping.end() || !multi->is_object()) return {};
    for (const auto& [name, inner] : multi->items()) {
      if (inner.is_object()) add(inner, path + "." + name, text_at(inner, "type"), nested, true);
    }
    return {};
  }

  void add(const Json& mapping, const std::string& path, const std::string& type,
           const std::string& nested, bool multi_field) {
    const FieldKind kind = kind_of(type);
    fields.emplace(
        path, Field{.path = path,
                    .type = type,
                    .kind = kind,
                    .nested = kind == FieldKind::kNested ? path : nested,
                    .date_format = text_at(mapping, "format"),
                    .searchable = !is_off(mapping, "index") && !is_off(mapping, "enabled"),
                    .doc_values = !is_off(mapping, "doc_values"),
                    .exact = !mapping.contains("normalizer") && !mapping.contains("ignore_above"),
                    .multi_field = multi_field});
  }

  std::vector<std::pair<std::string, std::string>> aliases_;
};

bool is_within(std::string_view path, std::string_view outer) {
  return path == outer || (path.starts_with(outer) && path[outer.size()] == '.');
}

}  // namespace

std::vector<std::string_view> operators_of(const Field& field) {
  if (!field.allowed || !field.filterable || !field.searchable) return {};
  switch (field.kind) {
    case FieldKind::kKeyword:
      return {"equals", "in", "exists", "range", "prefix"};
    case FieldKind::kText:
      return {"exists", "text"};
    case FieldKind::kInteger:
    case FieldKind::kFloating:
    case FieldKind::kDate:
    case FieldKind::kIp:
      return {"equals", "in", "exists", "range"};
    case FieldKind::kBoolean:
      return {"equals", "in", "exists"};
    case FieldKind::kObject:
    case FieldKind::kOther:
      return {"exists"};
    case FieldKind::kNested:
      return {"exists", "nested"};
  }
  return {};
}

bool sortable(const Field& field) {
  switch (field.kind) {
    case FieldKind::kKeyword:
    case FieldKind::kInteger:
    case FieldKind::kFloating:
    case FieldKind::kBoolean:
    case FieldKind::kDate:
    case FieldKind::kIp:
      return field.allowed && field.filterable && field.doc_values;
    case FieldKind::kText:
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      return false;
  }
  return false;
}

Result<FieldCatalog> FieldCatalog::create(const model::JsonText& mappings,
                                          const std::vector<std::string>& filterable) {
  const Json json = Json::parse(mappings.text, nullptr, false);
  if (!json.is_object()) {
    return fail(ErrorCode::kInvalidArgument, "mappings must be a JSON object");
  }
  Reader reader;
  if (json.contains("properties")) {
    RETURN_IF_ERROR(reader.properties(json["properties"], "", "", 0));
  }
  RETURN_IF_ERROR(reader.resolve_aliases());
  FieldCatalog catalog;
  catalog.fields_ = std::move(reader.fields);
  for (const std::string& path : filterable) {
    if (catalog.find(path) == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "spec.query.filterable: " + catalog.unknown(path));
    }
  }
  if (filterable.empty()) return catalog;
  for (auto& [path, field] : catalog.fields_) {
    const auto& inner = path;
    field.filterable =
        std::ranges::any_of(filterable, [&](const auto& outer) { return is_within(inner, outer); });
  }
  return catalog;
}

Result<FieldCatalog> FieldCatalog::restricted(const std::vector<std::string>& allowed) const {
  FieldCatalog catalog = *this;
  for (const std::string& path : allowed) {
    if (find(path) == nullptr) return fail(ErrorCode::kInvalidArgument, unknown(path));
  }
  if (allowed.empty()) return catalog;
  catalog.restricted_ = true;
  for (auto& [path, field] : catalog.fields_) {
    const auto& inner = path;
    field.allowed =
        std::ranges::any_of(allowed, [&](const auto& outer) { return is_within(inner, outer); });
  }
  return catalog;
}

bool FieldCatalog::shows(std::string_view path) const {
  return std::ranges::any_of(fields_, [path](const auto& entry) {
    return entry.second.allowed && is_within(entry.first, path);
  });
}

const Field* FieldCatalog::find(std::string_view path) const {
  const Field* field = find_declared(path);
  return field != nullptr && field->allowed ? field : nullptr;
}

const Field* FieldCatalog::find_declared(std::string_view path) const {
  const auto found = fields_.find(path);
  return found == fields_.end() ? nullptr : &found->second;
}

std::string FieldCatalog::unknown(std::string_view path) const {
  std::vector<std::string> known;
  for (const auto& [name, field] : fields_) {
    if (field.allowed) known.push_back(name);
  }
  constexpr size_t kShownMax = 100;
  return fmt::format("no field `{}` is {}{}", cut_utf8(path, kShownMax),
                     restricted_ ? "there for this key" : "declared",
                     path.size() > kShownMax ? "" : model::did_you_mean(path, known));
}

std::string render_fields(std::string_view index, const FieldCatalog& catalog) {
  Json fields = Json::array();
  for (const auto& [path, field] : catalog.fields()) {
    if (!field.allowed) continue;
    Json entry = {{"name", path},
                  {"type", field.type},
                  {"operators", operators_of(field)},
                  {"sortable", sortable(field)},
                  {"facetable", sortable(field)}};
    if (!field.nested.empty()) entry["nested"] = field.nested;
    fields.push_back(std::move(entry));
  }
  return Json{{"index", index}, {"fields", std::move(fields)}}.dump();
}

}  // namespace searchsync::query
