#include "query/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "lib/http/client.h"
#include "query/openapi_schemas.h"
#include "query/parameters.h"

namespace searchsync::query {
namespace {

using Json = nlohmann::json;

struct Problem {
  const char* name;
  int status;
  const char* description;
};

constexpr Problem kBadRequest{"BadRequest", 400,
                              "The request is wrong: `invalid_request` names every fault; "
                              "`engine_refused` and `answer_too_large` come of asking."};
constexpr Problem kUnauthorized{"Unauthorized", 401, "It takes an API key."};
constexpr Problem kForbidden{"Forbidden", 403, "The API key is not for this index."};
constexpr Problem kTooMany{"TooMany", 429, "Too often; Retry-After says when to come again."};
constexpr Problem kNotFound{"NotFound", 404, "There is no such document, or nothing at this path."};
constexpr Problem kConflict{"Conflict", 409, "What is in the database is against it."};
constexpr Problem kTooLarge{"TooLarge", 413, "The body is over the limit."};
constexpr Problem kUnprocessable{
    "Unprocessable", 422, "It cannot be answered as the index is now; the message says why."};
constexpr Problem kInternal{"Internal", 500, "A fault of this service; its log says more."};
constexpr Problem kBadGateway{"BadGateway", 502,
                              "The search engine answered in part only, or not as it should."};
constexpr Problem kUnavailable{"Unavailable", 503, "The search engine cannot answer now."};
constexpr Problem kTimeout{"Timeout", 504, "The search engine did not answer in time."};

Json json_content(Json schema) {
  return {{"application/json", {{"schema", std::move(schema)}}}};
}

class Writer {
 public:
  explicit Writer(const ApiDescription& api) : api_(api) {}

  std::string write() {
    add_schemas();
    add_paths();
    Json document = {{"openapi", "3.1.0"},
                     {"info",
                      {{"title", api_.index},
                       {"version", "1"},
                       {"description", "Queries over the search index " + api_.index + "."}}},
                     {"servers", Json::array({{{"url", "/"}}})},
                     {"paths", std::move(paths_)},
                     {"components",
                      {{"schemas", std::move(schemas_)},
                       {"parameters", std::move(parameters_)},
                       {"responses", std::move(responses_)}}}};
    if (api_.keyed) {
      document["components"]["securitySchemes"] = {
          {"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
          {"header", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}}};
      document["security"] =
          Json::array({{{"bearer", Json::array()}}, {{"header", Json::array()}}});
    }
    return document.dump();
  }

 private:
  void add_schemas() {
    add_document_schemas(api_, schemas_);
    add_filter_schemas(api_, schemas_);
    add_request_schemas(api_, schemas_);
    add_answer_schemas(schemas_);
    filters_ = add_filter_parameters(api_, parameters_);
  }

  struct Operation {
    std::string id;
    std::string summary;
    Json answer;   // the schema of the 200
    Json content;  // in place of `answer`: by media type
    Json parameters = Json::array();
    Json body;  // a schema; null: none
    std::initializer_list<Problem> problems;
    bool empty = false;  // 204, and no answer
  };

  void add(const char* method, const std::string& path, Operation operation) {
    if (operation.content.is_null()) operation.content = json_content(std::move(operation.answer));
    Json one = {{"operationId", operation.id},
                {"summary", operation.summary},
                {"responses", Json::object()}};
    if (operation.empty) {
      one["responses"]["204"] = {{"description", "Done."}};
    } else {
      one["responses"]["200"] = {{"description", "The answer."},
                                 {"content", std::move(operation.content)}};
    }
    if (!operation.parameters.empty()) one["parameters"] = std::move(operation.parameters);
    const bool relates = !api_.rules.relations.empty() && !operation.body.is_null();
    if (!operation.body.is_null()) {
      one["requestBody"] = {{"content", json_content(std::move(operation.body))}};
    }
    std::vector<Problem> problems(operation.problems);
    problems.push_back(kTooMany);
    if (relates) problems.push_back(kUnprocessable);
    if (api_.keyed) problems.insert(problems.end(), {kUnauthorized, kForbidden});
    for (const Problem& problem : problems) {
      if (!responses_.contains(problem.name)) {
        responses_[problem.name] = {{"description", problem.description},
                                    {"content", json_content(schema_ref("Error"))}};
      }
      one["responses"][std::to_string(problem.status)] = {
          {"$ref", fmt::format("#/components/responses/{}", problem.name)}};
    }
    paths_[path][method] = std::move(one);
  }

  void add_paths() {
    const std::string base = "/v1/" + http::percent_encode(api_.index);
    add("get", "/",
        {.id = "index",
         .summary = "What is served here.",
         .answer = {{"type", "object"}},
         .problems = {kInternal}});
    add("get", "/openapi.json",
        {.id = "openapi",
         .summary = "This document.",
         .answer = {{"type", "object"}},
         .problems = {kInternal}});
    add("get", base + "/fields",
        {.id = "fields",
         .summary = "What can be asked of which field.",
         .answer = {{"type", "object"}},
         .problems = {kInternal}});
    add("get", base + "/freshness",
        {.id = "freshness",
         .summary = "How far the documents are behind their sources.",
         .answer = schema_ref("Freshness"),
         .problems = {kInternal}});
    add("post", base + "/search",
        {.id = "search",
         .summary = "A page of documents, their number, and facets.",
         .answer = schema_ref("SearchAnswer"),
         .parameters = Json::array({freshness()}),
         .body = schema_ref("SearchRequest"),
         .problems = {kBadRequest, kTooLarge, kInternal, kBadGateway, kUnavailable, kTimeout}});
    add("post", base + "/count",
        {.id = "count",
         .summary = "How many documents there are.",
         .answer = schema_ref("CountAnswer"),
         .parameters = Json::array({freshness()}),
         .body = schema_ref("CountRequest"),
         .problems = {kBadRequest, kTooLarge, kInternal, kBadGateway, kUnavailable, kTimeout}});
    add("get", base + "/documents/{id}",
        {.id = "document",
         .summary = "One document, as it was last written.",
         .answer = schema_ref("OneDocument"),
         .parameters = {{{"name", "id"},
                         {"in", "path"},
                         {"required", true},
                         {"schema", {{"type", "string"}, {"minLength", 1}}}}},
         .problems = {kBadRequest, kNotFound, kInternal, kBadGateway, kUnavailable, kTimeout}});
    add_lists(base);
    add_screeners(base);
    for (const model::CommandSpec& command : api_.commands) {
      if (api_.rules.may_call(command.name)) add_command(command);
    }
  }

  // What the database answers besides has the status of its SQLSTATE.
  void add_command(const model::CommandSpec& command) {
    Json members = Json::object();
    Json required = Json::array();
    for (const model::ArgumentSpec& argument : command.arguments) {
      Json one = argument_schema(argument.type);
      if (argument.list) one = {{"type", {"array", "null"}}, {"items", std::move(one)}};
      members[argument.name] = std::move(one);
      if (!argument.optional) required.push_back(argument.name);
    }
    Json answer = Json::object();
    if (command.returns == model::CommandResult::kMany) answer["type"] = "array";
    add("post", "/rpc/" + command.name,
        {.id = "rpc." + command.name,
         .summary = command.description.empty() ? "A command." : command.description,
         .answer = std::move(answer),
         .body = {{"type", "object"},
                  {"properties", std::move(members)},
                  {"required", std::move(required)},
                  {"additionalProperties", false}},
         .problems = {kBadRequest, kNotFound, kConflict, kTooLarge, kInternal, kUnavailable,
                      kTimeout},
         .empty = command.returns == model::CommandResult::kNothing});
  }

  static Json argument_schema(model::ArgumentType type) {
    switch (type) {
      case model::ArgumentType::kString:
        return {{"type", {"string", "null"}}};
      case model::ArgumentType::kInteger:
        return {{"type", {"integer", "null"}}, {"format", "int64"}};
      case model::ArgumentType::kNumber:
        return {{"type", {"number", "null"}}};
      case model::ArgumentType::kBoolean:
        return {{"type", {"boolean", "null"}}};
      case model::ArgumentType::kJson:
        break;
    }
    return Json::object();
  }

  void add_lists(const std::string& base) {
    const Json size = query_parameter("size", "How many documents", size_schema());
    const Json cursor = query_parameter("cursor", "of the answer before: the page after it", kText);
    const Json sort = query_parameter("sort", "Fields, with commas; -field: descending", kText);
    const Json fields =
        query_parameter("fields", "What of the documents is returned, with commas", kText);
    add("get", base + "/documents",
        {.id = "list",
         .summary = "A page of documents, asked for by parameters.",
         .answer = schema_ref("SearchAnswer"),
         .parameters =
             with_filters(Json::array({size, cursor, sort, fields, allow_partial(), freshness()})),
         .problems = {kBadRequest, kInternal, kBadGateway, kUnavailable, kTimeout}});
    Json dates = Json::array();
    for (const auto& [path, field] : api_.rules.catalog.fields()) {
      if (is_timeline_field(field)) dates.push_back(path);
    }
    if (!dates.empty()) {
      add("get", base + "/timelines/{field}",
          {.id = "timeline",
           .summary = "A page of the documents that have a date, newest first.",
           .answer = schema_ref("SearchAnswer"),
           .parameters = with_filters(Json::array({{{"name", "field"},
                                                    {"in", "path"},
                                                    {"required", true},
                                                    {"schema", {{"enum", dates}}}},
                                                   size,
                                                   cursor,
                                                   fields,
                                                   allow_partial(),
                                                   freshness()})),
           .problems = {kBadRequest, kInternal, kBadGateway, kUnavailable, kTimeout}});
    }
    add("get", base + "/count",
        {.id = "countByParameters",
         .summary = "How many documents there are, asked for by parameters.",
         .answer = schema_ref("CountAnswer"),
         .parameters = with_filters(Json::array({allow_partial(), freshness()})),
         .problems = {kBadRequest, kInternal, kBadGateway, kUnavailable, kTimeout}});
    if (api_.rules.tiebreak.empty()) return;
    const Json lines = line_content();
    add("get", base + "/export",
        {.id = "exportByParameters",
         .summary = "All documents of a query, as a stream; broken off if it is not whole.",
         .content = lines,
         .parameters = with_filters(
             Json::array({sort, fields, query_parameter("limit", "At most so many", kCount),
                          query_parameter("format", "Of the lines", kFormat)})),
         .problems = {kBadRequest, kInternal, kBadGateway, kUnavailable, kTimeout}});
    add("post", base + "/export",
        {.id = "export",
         .summary = "All documents of a query, as a stream; broken off if it is not whole.",
         .content = lines,
         .body = schema_ref("ExportRequest"),
         .problems = {kBadRequest, kTooLarge, kInternal, kBadGateway, kUnavailable, kTimeout}});
  }

  // Each has paths of its own: its parameters are known.
  void add_screeners(const std::string& base) {
    add("get", base + "/screeners",
        {.id = "screeners",
         .summary = "The saved queries, by name.",
         .answer = {{"type", "object"}},
         .problems = {kInternal}});
    const Json page = {{"size", size_schema()}, {"cursor", kText}, {"allowPartial", kBoolean}};
    for (const Screener& screener : usable_screeners(api_.screeners, api_.rules)) {
      const std::string path = base + "/screeners/" + screener.name;
      add_screener(path, screener, "", page, json_content(schema_ref("SearchAnswer")));
      add_screener(path, screener, "/count", {{"allowPartial", kBoolean}},
                   json_content(schema_ref("CountAnswer")));
      if (api_.rules.tiebreak.empty()) continue;
      add_screener(path, screener, "/export", {{"limit", kCount}, {"format", kFormat}},
                   line_content());
    }
  }

  // options: what may be asked besides the screener's own parameters, by name.
  void add_screener(const std::string& path, const Screener& screener, const std::string& suffix,
                    const Json& options, const Json& content) {
    Json parameters = Json::array();
    Json values = Json::object();
    for (const std::string& name : screener.parameters) {
      parameters.push_back(query_parameter(name, "of the screener", kText));
      parameters.back()["required"] = true;
      values[name] = {{"type", {"string", "number", "boolean", "array"}},
                      {"items", {{"type", {"string", "number", "boolean"}}}}};
    }
    Json required = Json::array();
    if (!screener.parameters.empty()) required.push_back("parameters");
    Json members = {{"parameters",
                     {{"type", "object"},
                      {"properties", values},
                      {"required", screener.parameters},
                      {"additionalProperties", false}}}};
    for (const auto& [name, schema] : options.items()) {
      parameters.push_back(query_parameter(name, "as of other queries", schema));
      members[name] = schema;
    }
    std::string id = "screener." + screener.name + suffix;
    std::ranges::replace(id, '/', '.');
    const std::string summary =
        screener.description.empty() ? "A saved query." : screener.description;
    add("get", path + suffix,
        {.id = id,
         .summary = summary,
         .content = content,
         .parameters = parameters,
         .problems = {kBadRequest, kUnprocessable, kInternal, kBadGateway, kUnavailable,
                      kTimeout}});
    add("post", path + suffix,
        {.id = id + ".post",
         .summary = summary,
         .content = content,
         .body = {{"type", "object"},
                  {"properties", members},
                  {"required", required},
                  {"additionalProperties", false}},
         .problems = {kBadRequest, kTooLarge, kUnprocessable, kInternal, kBadGateway, kUnavailable,
                      kTimeout}});
  }

  Json line_content() const {
    return {{"application/x-ndjson", {{"schema", kText}}}, {"text/csv", {{"schema", kText}}}};
  }

  Json size_schema() const {
    return {{"type", "integer"}, {"minimum", 0}, {"maximum", api_.rules.page_size_max}};
  }

  Json freshness() const {
    return query_parameter("freshness", "Also say how far the documents are behind", kBoolean);
  }

  Json allow_partial() const {
    return query_parameter("allowPartial", "An answer that is not whole is better than none",
                           kBoolean);
  }

  static Json query_parameter(std::string_view name, std::string_view description, Json schema) {
    return {{"name", name},
            {"in", "query"},
            {"description", description},
            {"schema", std::move(schema)}};
  }

  // With those that filter, as far as their names are free.
  Json with_filters(Json parameters) const {
    std::set<std::string> taken;
    for (const Json& parameter : parameters) taken.insert(parameter["name"]);
    for (const Json& reference : filters_) {
      const Json::json_pointer at(reference["$ref"].get<std::string>().substr(1));
      if (!taken.contains(parameters_[at.back()]["name"])) parameters.push_back(reference);
    }
    return parameters;
  }

  const ApiDescription& api_;
  const Json kText = {{"type", "string"}};
  const Json kBoolean = {{"type", "boolean"}};
  const Json kCount = {{"type", "integer"}, {"minimum", 1}};
  const Json kFormat = {{"enum", {"ndjson", "csv"}}};
  Json parameters_ = Json::object();
  Json filters_;
  Json schemas_ = Json::object();
  Json responses_ = Json::object();
  Json paths_ = Json::object();
};

}  // namespace

std::string openapi_document(const ApiDescription& api) {
  return Writer(api).write();
}

}  // namespace searchsync::query
