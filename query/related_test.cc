#include "query/related.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/check.h"
#include "query/cursor.h"
#include "query/request.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

model::JsonText order_mappings() {
  return {R"({"properties":{"userId":{"type":"long"},"total":{"type":"double"},
              "code":{"type":"keyword"},"tenant":{"type":"keyword"},
              "lines":{"type":"nested","properties":{"sku":{"type":"keyword"}}}}})"};
}

class RelatedTest : public testing::Test {
 protected:
  SearchPlan plan(std::string_view body) {
    auto made = plan_search(body, rules_);
    EXPECT_TRUE(made) << body << render(made.error());
    return made ? *made : SearchPlan{};
  }

  const FieldCatalog orders_ = FieldCatalog::create(order_mappings(), {}).value();
  Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(),
               .tiebreak = {"id"},
               .relations = {{.name = "orders",
                              .index = "all-orders",
                              .from = "id",
                              .to = "userId",
                              .catalog = orders_},
                             {.name = "broken", .index = "x", .problem = "it is broken"}}};
};

TEST_F(RelatedTest, OneQuestionBecomesTwo) {
  const auto made = plan(R"({"filter":{"and":[
      {"not":{"related":{"relation":"orders","filter":{"range":{"field":"total","gt":100}}}}},
      {"related":{"relation":"orders"}}]}})");
  ASSERT_EQ(made.related.size(), 2u);
  const RelatedQuery& first = made.related[0];
  EXPECT_EQ(first.path, "filter.and[0].not.related");
  EXPECT_EQ(first.index, "all-orders");
  EXPECT_EQ(json::parse(related_body(first, 10)), json::parse(R"({
      "size":0,"track_total_hits":false,
      "query":{"bool":{"filter":[{"range":{"total":{"gt":100}}}]}},
      "aggs":{"keys":{"terms":{"field":"userId","size":11,"order":{"_key":"asc"}}}}})"));
  EXPECT_EQ(json::parse(related_count_body(first))["aggs"]["keys"],
            json::parse(R"({"cardinality":{"field":"userId"}})"));
  EXPECT_EQ(json::parse(related_body(made.related[1], 10))["query"],
            json::parse(R"({"match_all":{}})"));
  const std::vector<std::string> queries = {
      related_terms(first, {.keys = "3,5", .count = 2}),
      related_terms(made.related[1], {.keys = "", .count = 0})};
  EXPECT_EQ(json::parse(fill_markers(made.body, queries))["query"]["bool"]["filter"][0]["bool"],
            json::parse(R"({"filter":[{"bool":{"must_not":[{"terms":{"id":[3,5]}}]}},
                                      {"match_none":{}}]})"));
}

TEST_F(RelatedTest, TheFilterOfAKeyIsOfTheOtherIndexToo) {
  rules_.relations[0].fixed = R"({"term":{"tenant":{"value":"acme"}}})";
  rules_.relations[0].catalog = orders_.restricted({"total"}).value();
  for (const char* operand :
       {R"({"relation":"orders"})",
        R"({"relation":"orders","filter":{"range":{"field":"total","gt":1}}})"}) {
    const auto made = plan(fmt::format(R"({{"filter":{{"related":{}}}}})", operand));
    EXPECT_EQ(json::parse(made.related[0].query)["bool"]["filter"][0],
              json::parse(rules_.relations[0].fixed));
  }
  const auto refused = plan_search(
      R"({"filter":{"related":{"relation":"orders","filter":{"exists":{"field":"code"}}}}})",
      rules_);
  EXPECT_THAT(refused.error().list()[0].expected, HasSubstr("no field `code` is there"));
}

TEST_F(RelatedTest, EachFaultNamesItsPlace) {
  struct Case {
    std::string_view filter;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [filter, path, expected] : std::vector<Case>{
           {R"({"related":7})", "filter.related", "an object with relation, filter"},
           {R"({"related":{}})", "filter.related.relation", "orders, broken"},
           {R"({"related":{"relation":7}})", "filter.related.relation", "a relation"},
           {R"({"related":{"relation":"x"}})", "filter.related.relation", "a relation"},
           {R"({"related":{"relation":"orders","size":7}})", "filter.related.size", "nothing"},
           {R"({"related":{"relation":"orders","filter":7}})", "filter.related.filter",
            "exactly one of"},
           {R"({"related":{"relation":"orders","filter":{"exists":{"field":"id"}}}})",
            "filter.related.filter.exists.field", "no field `id`"},
           {R"({"related":{"relation":"orders","filter":{"related":{"relation":"orders"}}}})",
            "filter.related.filter.related", "within another"},
           {R"({"nested":{"path":"bugs","filter":{"related":{"relation":"orders"}}}})",
            "filter.nested.filter.related", "within `nested`"},
           {R"({"related":{"relation":"broken"}})", "filter.related.relation", "it is broken"},
           {R"({"or":[{"related":{"relation":"orders"}},{"related":{"relation":"orders"}},
                      {"related":{"relation":"orders"}},{"related":{"relation":"orders"}},
                      {"related":{"relation":"orders"}}]})",
            "filter.or[4].related", "at most 4"},
       }) {
    const auto made = plan_search(fmt::format(R"({{"filter":{}}})", filter), rules_);
    ASSERT_FALSE(made) << filter;
    EXPECT_EQ(made.error().list()[0].path, path);
    EXPECT_THAT(made.error().list()[0].expected, HasSubstr(expected)) << filter;
  }
  const auto of = [&](std::string_view relation) {
    return plan_search(fmt::format(R"({{"filter":{{"related":{{"relation":"{}"}}}}}})", relation),
                       rules_)
        .error();
  };
  EXPECT_TRUE(of("broken").refused());
  EXPECT_EQ(json::parse(render(of("broken")))["error"]["code"], "relation_unusable");
  rules_.relations.clear();
  EXPECT_THAT(of("orders").list()[0].expected, HasSubstr("declares nothing"));
}

TEST_F(RelatedTest, FiltersOfBothCountTogether) {
  std::string deep = R"({"exists":{"field":"total"}})";
  for (int i = 0; i < 20; ++i) deep = R"({"not":)" + deep + "}";
  EXPECT_FALSE(
      plan_search(R"({"filter":{"related":{"relation":"orders","filter":)" + deep + "}}}", rules_));
  std::string many;
  for (int i = 0; i < 200; ++i) many += R"({"exists":{"field":"total"}},)";
  const std::string list = R"({"or":[)" + many + R"({"exists":{"field":"total"}}]})";
  const std::string one = R"({"related":{"relation":"orders","filter":)" + list + "}}";
  EXPECT_TRUE(plan_search(R"({"filter":)" + one + "}", rules_));
  EXPECT_FALSE(plan_search(R"({"filter":{"and":[)" + one + "," + one + "]}}", rules_));
}

TEST_F(RelatedTest, ACursorIsOfTheWholeQuestion) {
  const auto body = [](int total, std::string_view cursor) {
    return fmt::format(R"({{"filter":{{"related":{{"relation":"orders",
        "filter":{{"range":{{"field":"total","gt":{}}}}}}}}}{}}})",
                       total, cursor);
  };
  const std::string cursor =
      R"(,"cursor":")" + encode_cursor("[1]", plan(body(1, "")).fingerprint) + "\"";
  EXPECT_TRUE(plan_search(body(1, cursor), rules_));
  EXPECT_FALSE(plan_search(body(2, cursor), rules_));
}

TEST_F(RelatedTest, KeysAreReadWholeOrNotAtAll) {
  const std::string_view answer = R"({"took":1,"timed_out":false,"_shards":{"failed":0},
      "hits":{"hits":[]},"aggregations":{"keys":{"sum_other_doc_count":0,"buckets":[
        {"key":"a\"b","doc_count":1}, {"key":7 ,"doc_count":2}]}}})";
  const auto keys = read_related_keys(200, answer, 2);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->keys, R"("a\"b",7)");
  EXPECT_TRUE(keys->all);
  EXPECT_FALSE(read_related_keys(200, answer, 1)->all);
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text(answer);
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_FALSE(read_related_keys(200, changed("count\":0", "count\":9"), 2)->all);
  EXPECT_EQ(read_related_keys(200, changed("false", "true"), 2).error().fault, EngineFault::kSlow);
  EXPECT_EQ(read_related_keys(200, changed("failed\":0", "failed\":1"), 2).error().fault,
            EngineFault::kPartial);
  EXPECT_EQ(read_related_keys(404, "{}", 2).error().fault, EngineFault::kAway);
  for (size_t length = 0; length < answer.size(); ++length) {
    EXPECT_FALSE(read_related_keys(200, answer.substr(0, length), 2)) << length;
  }
  EXPECT_EQ(read_related_count(200, R"({"timed_out":false,"_shards":{"failed":0},
      "aggregations":{"keys":{"value":48211}}})"),
            48211);
  EXPECT_FALSE(read_related_count(200, "{}"));
}

TEST_F(RelatedTest, BothFieldsHaveToFit) {
  const auto problem = [&](std::string_view from, std::string_view to) {
    return relation_problem(rules_.catalog, from, orders_, to);
  };
  EXPECT_EQ(problem("id", "userId"), "");
  EXPECT_EQ(problem("testName", "code"), "");
  EXPECT_THAT(problem("nope", "code"), HasSubstr("from: no field `nope`"));
  EXPECT_THAT(problem("id", "nope"), HasSubstr("to: no field `nope`"));
  EXPECT_THAT(problem("id", "code"), HasSubstr("never are the same"));
  EXPECT_THAT(problem("coverage", "total"), HasSubstr("a keyword or integer field"));
  EXPECT_THAT(problem("bugs.id", "code"), HasSubstr("not within a nested array"));
  EXPECT_THAT(problem("testName", "lines.sku"), HasSubstr("not within a nested array"));
  EXPECT_THAT(problem("note", "code"), HasSubstr("`note` must be"));
  EXPECT_THAT(problem("blob", "code"), HasSubstr("`blob` must be"));
}

TEST_F(RelatedTest, ValidateNamesThePlaceInTheResource) {
  model::Resources resources;
  resources.indices.resize(2);
  resources.indices[0].metadata.name = "runs";
  resources.indices[0].spec.mappings = test_mappings();
  resources.indices[1].metadata.name = "orders";
  resources.indices[1].spec.mappings = order_mappings();
  auto& query = resources.indices[0].spec.query;
  query.relations = {{"good", "orders", "id", "userId"}, {"bad", "orders", "id", "code"}};
  query.screeners = {
      {.name = "rich", .filter = model::JsonText{R"({"related":{"relation":"good","filter":
                          {"range":{"field":"total","gt":"{{least}}"}}}})"}}};
  auto faults = check_queries(resources, {});
  ASSERT_EQ(faults.size(), 1u) << model::to_string(faults);
  EXPECT_EQ(faults[0].path, "spec.query.relations[1]");
  query.relations.pop_back();
  resources.indices[1].spec.query.keys_secret_ref = model::SecretRef{"keys"};
  faults = check_queries(resources, {});
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0].message, HasSubstr("API keys of another secret"));
  query.keys_secret_ref = model::SecretRef{"keys"};
  EXPECT_TRUE(check_queries(resources, {}).empty());
}

}  // namespace
}  // namespace searchsync::query
