#include "query/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::Not;

class OpenApiTest : public testing::Test {
 protected:
  json document(const Rules& rules) {
    return json::parse(
        openapi_document({.index = "runs", .mappings = test_mappings(), .rules = rules}));
  }

  // Every "$ref" that leads nowhere.
  static std::set<std::string> dangling(const json& document) {
    std::set<std::string> all;
    const json flat = document.flatten();
    for (const auto& [path, value] : flat.items()) {
      if (!path.ends_with("/$ref")) continue;
      const auto target = value.get<std::string>();
      if (!target.starts_with("#/") || !document.contains(json::json_pointer(target.substr(1)))) {
        all.insert(target);
      }
    }
    return all;
  }

  const Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(),
                     .tiebreak = {"id"},
                     .page_size_max = 200};
};

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhere) {
  const json api = document(rules_);
  EXPECT_EQ(api["openapi"], "3.1.0");
  EXPECT_TRUE(dangling(api).empty()) << *dangling(api).begin();
  std::set<std::string> ids;
  for (const auto& [path, operations] : api["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      EXPECT_TRUE(ids.insert(operation["operationId"]).second) << path;
      EXPECT_TRUE(operation["responses"].contains("200")) << path;
      EXPECT_TRUE(operation["responses"].contains("500")) << path;
    }
  }
}

TEST_F(OpenApiTest, DocumentsAreAsTheMappingsSay) {
  const json schemas = document(rules_)["components"]["schemas"];
  const json& properties = schemas["Document"]["properties"];
  EXPECT_EQ(properties["id"]["type"], json({"number", "string", "null", "array"}));
  EXPECT_EQ(properties["passed"]["items"]["type"], json({"boolean", "string", "null"}));
  EXPECT_FALSE(properties["place"].contains("type"));  // whatever the engine takes
  EXPECT_FALSE(properties.contains("who"));            // an alias is no part of documents
  EXPECT_FALSE(properties.contains("title.raw"));
  EXPECT_EQ(schemas["Document"]["additionalProperties"], false);
  EXPECT_EQ(schemas["Document.owner"]["additionalProperties"], false);
  EXPECT_TRUE(schemas["Document.bugs.hits"]["properties"].contains("count"));
  EXPECT_EQ(properties["bugs"]["anyOf"][0]["$ref"], "#/components/schemas/Document.bugs");
}

TEST_F(OpenApiTest, FiltersNameTheFieldsThatUnderstandThem) {
  const json schemas = document(rules_)["components"]["schemas"];
  EXPECT_THAT(schemas["Fields.equals"]["enum"], Contains("testName"));
  EXPECT_THAT(schemas["Fields.equals"]["enum"], Not(Contains("title")));
  EXPECT_EQ(schemas["Fields.text"]["enum"], json({"title"}));
  EXPECT_EQ(schemas["Fields.nested"]["enum"], json({"bugs", "bugs.hits"}));
  EXPECT_EQ(schemas["Filter"]["oneOf"].size(), 10u);
  EXPECT_EQ(schemas["SearchRequest"]["properties"]["size"]["maximum"], 200);
}

TEST_F(OpenApiTest, WhatNoFieldUnderstandsIsNotThere) {
  const model::JsonText mappings{R"({"properties":{"log":{"type":"text"}}})"};
  const Rules rules{.catalog = FieldCatalog::create(mappings, {}).value()};
  const json api =
      json::parse(openapi_document({.index = "a{b}", .mappings = mappings, .rules = rules}));
  EXPECT_TRUE(dangling(api).empty());
  const json& schemas = api["components"]["schemas"];
  EXPECT_FALSE(schemas.contains("Fields.equals"));
  EXPECT_FALSE(schemas["SearchRequest"]["properties"].contains("sort"));
  EXPECT_FALSE(schemas["Document"].contains("additionalProperties"));
  EXPECT_TRUE(api["paths"].contains("/v1/a%7Bb%7D/search"));
}

TEST_F(OpenApiTest, HasTheCommandsThatMayBeCalled) {
  const std::vector<model::CommandSpec> commands = {
      {.name = "add",
       .function = "shop.add",
       .arguments = {{.name = "id", .type = model::ArgumentType::kInteger},
                     {.name = "ports", .list = true, .optional = true}}},
      {.name = "drop", .function = "shop.drop", .returns = model::CommandResult::kNothing},
      {.name = "hidden", .function = "shop.hidden"}};
  Rules rules = rules_;
  rules.commands = std::vector<std::string>{"add", "drop"};
  const json made = json::parse(openapi_document(
      {.index = "runs", .mappings = test_mappings(), .rules = rules, .commands = commands}));
  EXPECT_EQ(dangling(made), std::set<std::string>());
  const json& add = made["paths"]["/rpc/add"]["post"];
  const json& body = add["requestBody"]["content"]["application/json"]["schema"];
  EXPECT_EQ(body["required"], json::array({"id"}));
  EXPECT_EQ(body["properties"]["ports"]["items"]["type"], json::array({"string", "null"}));
  EXPECT_TRUE(add["responses"].contains("200"));
  EXPECT_TRUE(made["paths"]["/rpc/drop"]["post"]["responses"].contains("204"));
  EXPECT_FALSE(made["paths"]["/rpc/drop"]["post"]["responses"].contains("200"));
  EXPECT_FALSE(made["paths"].contains("/rpc/hidden"));
}

}  // namespace
}  // namespace searchsync::query
