#include "query/openapi_schemas.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "query/filter.h"
#include "query/request.h"

namespace searchsync::query {
namespace {

using Json = nlohmann::json;

Json object_of(Json properties, Json required = Json::array()) {
  Json schema = {
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

Json array_of(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

Json integer_of(int64_t least, int64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}

Json text_of(std::string_view description) {
  return {{"type", "string"}, {"description", description}};
}

// The JSON types that the engines take for a field. Empty: any.
Json types_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::kKeyword:
    case FieldKind::kText:
      return {"string", "number", "boolean"};
    case FieldKind::kInteger:
    case FieldKind::kFloating:
    case FieldKind::kDate:
      return {"number", "string"};
    case FieldKind::kBoolean:
      return {"boolean", "string"};
    case FieldKind::kIp:
      return {"string"};
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      return Json::array();
  }
  return Json::array();
}

class Documents {
 public:
  Documents(const FieldCatalog& catalog, Json& schemas) : catalog_(catalog), schemas_(schemas) {}

  enum class Dynamic { kYes, kNo };

  // outer: what holds unless the mapping says otherwise. Returns the name of the schema.
  std::string object(const Json& mapping, const std::string& path, Dynamic outer) {
    const auto said = mapping.find("dynamic");
    const Dynamic dynamic = said == mapping.end() ? outer
                            : *said == "strict"   ? Dynamic::kNo
                                                  : Dynamic::kYes;
    std::string name = "Document";
    if (!path.empty()) name += "." + component_name(path);
    while (schemas_.contains(name)) name += "_";
    schemas_[name] = Json::object();  // taken
    Json properties = Json::object();
    if (mapping.contains("properties")) {
      for (const auto& [key, inner] : mapping["properties"].items()) {
        const std::string at = path.empty() ? key : path + "." + key;
        const Json schema = field(inner, at, dynamic);
        if (!schema.is_null()) properties[key] = schema;
      }
    }
    Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
    if (dynamic == Dynamic::kNo) schema["additionalProperties"] = false;
    schemas_[name] = std::move(schema);
    return name;
  }

 private:
  // Null: it is no part of documents, or not of those of who asks.
  Json field(const Json& mapping, const std::string& path, Dynamic dynamic) {
    const Field* found = catalog_.find_declared(path);
    if (found == nullptr || found->multi_field || !catalog_.shows(path)) return {};
    const auto enabled = mapping.find("enabled");
    const bool any = enabled != mapping.end() && (*enabled == false || *enabled == "false");
    if ((found->kind == FieldKind::kObject || found->kind == FieldKind::kNested) && !any) {
      const Json one = schema_ref(object(mapping, path, dynamic));
      return {
          {"anyOf", {one, array_of({{"anyOf", {one, {{"type", "null"}}}}}), {{"type", "null"}}}}};
    }
    const Json types = any ? Json::array() : types_of(found->kind);
    Json schema = {{"description", "of type " + found->type}};
    if (types.empty()) return schema;
    Json item = types;
    item.push_back("null");
    Json whole = item;
    whole.push_back("array");
    schema["type"] = std::move(whole);
    schema["items"] = {{"type", std::move(item)}};
    return schema;
  }

  const FieldCatalog& catalog_;
  Json& schemas_;
};

Json names_of(const FieldCatalog& catalog, const std::function<bool(const Field&)>& wanted) {
  Json names = Json::array();
  for (const auto& [path, field] : catalog.fields()) {
    if (wanted(field)) names.push_back(path);
  }
  return names;
}

// What a value is in a URL.
Json parameter_schema(const Field& field) {
  switch (field.kind) {
    case FieldKind::kInteger:
      return {{"type", "integer"}};
    case FieldKind::kFloating:
      return {{"type", "number"}};
    case FieldKind::kBoolean:
      return {{"type", "boolean"}};
    case FieldKind::kKeyword:
    case FieldKind::kText:
    case FieldKind::kDate:
    case FieldKind::kIp:
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      return {{"type", "string"}};
  }
  return Json::object();
}

}  // namespace

std::string component_name(std::string_view text) {
  std::string name(text);
  std::ranges::replace_if(
      name,
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_'; },
      '_');
  return name;
}

Json add_filter_parameters(const ApiDescription& api, Json& parameters) {
  Json references = Json::array();
  const auto add = [&](const std::string& name, std::string_view description, Json schema) {
    std::string key = component_name(name);
    while (parameters.contains(key)) key += '_';
    parameters[key] = {{"name", name},
                       {"in", "query"},
                       {"description", description},
                       {"schema", std::move(schema)}};
    references.push_back({{"$ref", "#/components/parameters/" + key}});
  };
  for (const auto& [path, field] : api.rules.catalog.fields()) {
    const Json value = parameter_schema(field);
    for (const std::string_view name : operators_of(field)) {
      if (name == "equals") {
        add(path, "equals; several times: any of them", array_of(value));
        add(path + ".not", "is not; several times: none of them", array_of(value));
      } else if (name == "range") {
        const bool exact = field.kind != FieldKind::kInteger;
        for (const char* bound : {".gte", ".gt", ".lte", ".lt"}) {
          add(path + bound, "a bound", exact ? value : Json{{"type", "number"}});
        }
      } else if (name == "exists") {
        add(path + ".exists", "whether it is there", {{"type", "boolean"}});
      } else if (name == "prefix") {
        add(path + ".prefix", "begins with", {{"type", "string"}, {"minLength", 1}});
      } else if (name == "text") {
        add(path + ".text", "has all of the words", {{"type", "string"}, {"minLength", 1}});
      }
    }
  }
  return references;
}

Json schema_ref(std::string_view name) {
  return {{"$ref", fmt::format("#/components/schemas/{}", name)}};
}

void add_document_schemas(const ApiDescription& api, Json& schemas) {
  const Json mappings = Json::parse(api.mappings.text, nullptr, false);
  Documents(api.rules.catalog, schemas).object(mappings, "", Documents::Dynamic::kYes);
}

void add_filter_schemas(const ApiDescription& api, Json& schemas) {
  Json operators = Json::array();
  const auto add = [&](const char* name, Json operand) {
    operators.push_back(object_of({{name, std::move(operand)}}, {name}));
  };
  const Json filter = schema_ref("Filter");
  Json some = array_of(filter);
  some["minItems"] = 1;
  add("and", some);
  add("or", some);
  add("not", filter);
  const Json value = {{"type", {"string", "number", "boolean"}},
                      {"description", "as the field's type wants it"}};
  const Json bound = {{"type", {"string", "number"}},
                      {"description", "a number, or a time such as \"now-30d\""}};
  const Json words = {{"type", "string"}, {"minLength", 1}, {"maxLength", kValueBytesMax}};
  Json values = array_of(value);
  values["minItems"] = 1;
  values["maxItems"] = kInValuesMax;
  // Without a field that understands it an operator does not exist.
  const auto add_of = [&](const char* name, Json members, Json required) {
    Json names = names_of(api.rules.catalog, [name](const Field& field) {
      const auto all = operators_of(field);
      return std::ranges::find(all, name) != all.end();
    });
    if (names.empty()) return;
    const std::string of = fmt::format("Fields.{}", name);
    schemas[of] = {{"type", "string"}, {"enum", std::move(names)}};
    const char* key = std::string_view(name) == "nested" ? "path" : "field";
    members[key] = schema_ref(of);
    required.push_back(key);
    add(name, object_of(std::move(members), std::move(required)));
  };
  add_of("equals", {{"value", value}}, {"value"});
  add_of("in", {{"values", values}}, {"values"});
  add_of("exists", Json::object(), Json::array());
  add_of("range", {{"gte", bound}, {"gt", bound}, {"lte", bound}, {"lt", bound}}, Json::array());
  add_of("prefix", {{"value", words}}, {"value"});
  add_of("text", {{"query", words}}, {"query"});
  add_of("nested", {{"filter", filter}}, {"filter"});
  Json relations = Json::array();
  for (const Relation& relation : api.rules.relations) {
    relations.push_back(relation.name);
  }
  if (!relations.empty()) {
    add("related",
        object_of(
            {{"relation", {{"enum", relations}}},
             {"filter", {{"type", "object"}, {"description", "a filter over the other index"}}}},
            {"relation"}));
  }
  schemas["Filter"] = {
      {"description",
       fmt::format("Which documents: an object with one operator. At most {} filters "
                   "in all, {} deep.",
                   kFilterNodesMax, kFilterDepthMax)},
      {"oneOf", std::move(operators)}};
}

void add_request_schemas(const ApiDescription& api, Json& schemas) {
  const Json sortable = names_of(api.rules.catalog, query::sortable);
  const Json shown = names_of(
      api.rules.catalog, [](const Field& field) { return field.allowed && !field.multi_field; });
  Json request = {{"filter", schema_ref("Filter")},
                  {"size", integer_of(0, api.rules.page_size_max)},
                  {"cursor", text_of("of the answer before: the page after it")}};
  if (!sortable.empty()) {
    schemas["Fields.sort"] = {{"type", "string"}, {"enum", sortable}};
    Json sorts = array_of(object_of(
        {{"field", schema_ref("Fields.sort")}, {"order", {{"enum", {"asc", "desc"}}}}}, {"field"}));
    sorts["maxItems"] = kSortMax;
    schemas["Sort"] = std::move(sorts);
    schemas["Facets"] = {
        {"type", "object"},
        {"maxProperties", kFacetsMax},
        {"propertyNames", {{"pattern", "^[A-Za-z0-9_-]{1,64}$"}}},
        {"additionalProperties",
         object_of({{"field", schema_ref("Fields.sort")}, {"size", integer_of(1, kFacetSizeMax)}},
                   {"field"})}};
    request["sort"] = schema_ref("Sort");
    request["facets"] = schema_ref("Facets");
  }
  if (!shown.empty()) {
    schemas["Fields.shown"] = {{"type", "string"}, {"enum", shown}};
    Json fields = array_of(schema_ref("Fields.shown"));
    fields["maxItems"] = kSourceFieldsMax;
    fields["description"] = "What of the documents is returned";
    request["fields"] = std::move(fields);
  }
  request["allowPartial"] = {{"type", "boolean"},
                             {"description", "An answer that is not whole is better than none"}};
  schemas["SearchRequest"] = object_of(request);
  request.erase("size");
  request.erase("cursor");
  request.erase("facets");
  request.erase("allowPartial");
  request["limit"] = {{"type", "integer"}, {"minimum", 1}};
  request["format"] = {{"enum", {"ndjson", "csv"}}};
  schemas["ExportRequest"] = object_of(request);
  schemas["CountRequest"] =
      object_of({{"filter", schema_ref("Filter")}, {"allowPartial", {{"type", "boolean"}}}});
}

void add_answer_schemas(Json& schemas) {
  const Json millis = {{"type", "integer"}, {"minimum", 0}};
  schemas["Hit"] =
      object_of({{"id", {{"type", "string"}}}, {"source", schema_ref("Document")}}, {"id"});
  // found: false where there is none, and the index has something that stands for it.
  schemas["OneDocument"] = object_of({{"id", {{"type", "string"}}},
                                      {"found", {{"type", "boolean"}, {"default", true}}},
                                      {"source", schema_ref("Document")}},
                                     {"id", "source"});
  schemas["Total"] = object_of({{"value", millis}, {"relation", {{"enum", {"eq", "gte"}}}}},
                               {"value", "relation"});
  schemas["Facet"] = object_of(
      {{"buckets", array_of(object_of(
                       {{"value", {{"type", {"string", "number", "boolean"}}}}, {"count", millis}},
                       {"value", "count"}))},
       {"otherCount", millis}},
      {"buckets"});
  const Json reasons = array_of({{"type", "string"}});
  Json partitions = millis;
  partitions["description"] = "Of a partitioned index: how many were asked";
  schemas["SearchAnswer"] =
      object_of({{"total", schema_ref("Total")},
                 {"hits", array_of(schema_ref("Hit"))},
                 {"cursor", text_of("there may be a page after this one")},
                 {"facets", {{"type", "object"}, {"additionalProperties", schema_ref("Facet")}}},
                 {"partial", {{"const", true}}},
                 {"partialReasons", reasons},
                 {"freshness", schema_ref("Freshness")},
                 {"partitions", partitions},
                 {"tookMs", millis},
                 {"engineTookMs", millis}},
                {"total", "hits", "tookMs", "engineTookMs"});
  const Json behind = {{"recordsBehind", millis}, {"behindMs", {{"type", {"integer", "null"}}}}};
  Json source = behind;
  source["binding"] = {{"type", "string"}};
  source["topic"] = {{"type", "string"}};
  schemas["Freshness"] = object_of({{"at", text_of("when it was measured")},
                                    {"unknown", text_of("why it is not known")},
                                    {"index", text_of("the generation that is served")},
                                    {"documentLog", object_of(behind)},
                                    {"sources", array_of(object_of(source))}},
                                   {"at"});
  schemas["CountAnswer"] = object_of({{"count", millis},
                                      {"partial", {{"const", true}}},
                                      {"partialReasons", reasons},
                                      {"freshness", schema_ref("Freshness")},
                                      {"partitions", partitions},
                                      {"tookMs", millis},
                                      {"engineTookMs", millis}},
                                     {"count", "tookMs", "engineTookMs"});
  const Json fault =
      object_of({{"path", text_of("where; empty: the request as a whole")},
                 {"expected", text_of("what should be there, or what to do instead")}},
                {"path", "expected"});
  schemas["Error"] = object_of({{"error", object_of({{"code", {{"type", "string"}}},
                                                     {"message", {{"type", "string"}}},
                                                     {"faults", array_of(fault)}},
                                                    {"code", "message"})}},
                               {"error"});
}

}  // namespace searchsync::query
