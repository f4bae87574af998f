#pragma once

// Parts of openapi_document(): the JSON schemas. All are of JSON Schema 2020-12.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "query/openapi.h"

namespace searchsync::query {

// {"$ref": "#/components/schemas/<name>"}
nlohmann::json schema_ref(std::string_view name);

// Adds "Document", and one schema for each object in it. The engines take more than one JSON type
// for a field, and an array for each; documents are handed back as they were written, so that is
// what the schema says.
void add_document_schemas(const ApiDescription& api, nlohmann::json& schemas);

// Adds "Filter", and the fields that each operator understands.
void add_filter_schemas(const ApiDescription& api, nlohmann::json& schemas);

// Adds the parameters that filter, and returns references to them.
nlohmann::json add_filter_parameters(const ApiDescription& api, nlohmann::json& parameters);

// Letters, digits, dots, - and _ are what names of components have; "_" for all else.
std::string component_name(std::string_view text);

void add_request_schemas(const ApiDescription& api, nlohmann::json& schemas);
void add_answer_schemas(nlohmann::json& schemas);

}  // namespace searchsync::query
