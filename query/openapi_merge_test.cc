#include "query/openapi_merge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "query/openapi.h"

namespace searchsync::query {
namespace {

using nlohmann::json;

std::string document(const std::string& index, const std::string& mappings) {
  const model::JsonText text{mappings};
  const auto catalog = FieldCatalog::create(text, {});
  const Rules rules{.catalog = *catalog};
  return openapi_document({.index = index, .mappings = text, .rules = rules});
}

// Every $ref in it.
void references(const json& node, std::vector<std::string>& found) {
  if (node.is_object() && node.contains("$ref")) found.push_back(node["$ref"]);
  if (!node.is_structured()) return;
  for (const auto& one : node) references(one, found);
}

TEST(OpenApiMerge, HasTheTablesApartAndEveryReferenceLeadsSomewhere) {
  const std::vector<std::pair<std::string, std::string>> documents = {
      {"orders", document("orders", R"({"properties":{"total":{"type":"double"}}})")},
      {"sales.runs", document("sales.runs", R"({"properties":{"at":{"type":"date"}}})")}};
  const json merged = json::parse(merge_openapi("shop", documents));
  EXPECT_EQ(merged["info"]["title"], "shop");
  EXPECT_TRUE(merged["paths"].contains("/v1/orders/search"));
  EXPECT_TRUE(merged["paths"].contains("/v1/sales.runs/search"));
  EXPECT_TRUE(merged["paths"].contains("/v1/sales.runs/timelines/{field}"));
  EXPECT_FALSE(merged["paths"].contains("/v1/orders/timelines/{field}"));
  EXPECT_EQ(merged["paths"]["/v1/orders/search"]["post"]["operationId"], "orders.search");
  EXPECT_EQ(merged["paths"]["/openapi.json"]["get"]["operationId"], "openapi");
  std::vector<std::string> found;
  references(merged, found);
  EXPECT_GT(found.size(), 20u);
  for (const auto& one : found) {
    EXPECT_TRUE(merged.contains(json::json_pointer(one.substr(1)))) << one;
  }
}

}  // namespace
}  // namespace searchsync::query
