#include "query/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/cursor.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class RequestTest : public testing::Test {
 protected:
  const FieldCatalog catalog_ = FieldCatalog::create(test_mappings(), {}).value();
  const Rules rules_{.catalog = catalog_, .tiebreak = {"id"}, .page_size_max = 200};
};

TEST_F(RequestTest, AnEmptyRequestIsEverythingInOrderOfTheKey) {
  for (const char* body : {"", "  \n", "{}"}) {
    const auto plan = plan_search(body, rules_);
    ASSERT_TRUE(plan) << render(plan.error());
    EXPECT_EQ(json::parse(plan->body), json::parse(R"({"size":50,"_source":true,
                              "query":{"match_all":{}},
                              "sort":[{"id":{"order":"asc","missing":"_last"}}]})"));
  }
}

TEST_F(RequestTest, EveryPartIsTranslated) {
  const auto plan = plan_search(R"({
      "filter": {"exists": {"field": "id"}},
      "sort": [{"field": "createdAt", "order": "desc"}, {"field": "bugs.id"}],
      "size": 20,
      "facets": {"team": {"field": "owner.team", "size": 5}, "bug": {"field": "bugs.id"}},
      "fields": ["id", "owner"]})",
                                rules_);
  ASSERT_TRUE(plan) << render(plan.error());
  EXPECT_EQ(json::parse(plan->body), json::parse(R"({
      "size": 20, "_source": ["id", "owner"],
      "query": {"bool": {"filter": [{"exists": {"field": "id"}}]}},
      "sort": [{"createdAt": {"order": "desc", "missing": -9223372036854775808}},
               {"bugs.id": {"order": "asc", "missing": "_last", "nested": {"path": "bugs"}}},
               {"id": {"order": "asc", "missing": "_last"}}],
      "aggs": {"team": {"terms": {"field": "owner.team", "size": 5}},
               "bug": {"nested": {"path": "bugs"}, "aggs": {"values": {
                 "terms": {"field": "bugs.id", "size": 10, "order": {"documents": "desc"}},
                 "aggs": {"documents": {"reverse_nested": {}}}}}}}})"));
  EXPECT_EQ(plan->size, 20u);
  EXPECT_TRUE(plan->pages);
  ASSERT_EQ(plan->facets.size(), 2u);
  EXPECT_TRUE(plan->facets[1].nested);
}

TEST_F(RequestTest, TheKeyIsNotSortedByTwice) {
  const auto plan = plan_search(R"({"sort":[{"field":"id","order":"desc"}]})", rules_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(json::parse(plan->body)["sort"],
            json::parse(R"([{"id":{"order":"desc","missing":"_last"}}])"));
}

// Of partitions one may not have it yet.
TEST_F(RequestTest, ASortOfMixedIndicesSaysTheType) {
  auto mixed = rules_;
  mixed.mixed = true;
  mixed.catalog = FieldCatalog::create({R"({"properties":{"id":{"type":"long"},
      "one":{"type":"constant_keyword"},
      "price":{"type":"scaled_float","scaling_factor":100}}})"},
                                       {})
                      .value();
  const auto plan = plan_search(R"({"sort":[{"field":"price"},{"field":"one"}]})", mixed);
  ASSERT_TRUE(plan) << render(plan.error());
  EXPECT_EQ(json::parse(plan->body)["sort"],
            json::parse(R"([{"price":{"order":"asc","missing":"_last","unmapped_type":"double"}},
                {"one":{"order":"asc","missing":"_last","unmapped_type":"keyword"}},
                {"id":{"order":"asc","missing":"_last","unmapped_type":"long"}}])"));
}

TEST_F(RequestTest, SortingByANestedFieldFirstCountsAll) {
  const auto counts = [&](const std::string& sort) {
    const auto plan = plan_search(R"({"sort":[)" + sort + "]}", rules_);
    return json::parse(plan.value().body).value("track_total_hits", false);
  };
  EXPECT_TRUE(counts(R"({"field":"bugs.id"})"));
  EXPECT_FALSE(counts(R"({"field":"createdAt"},{"field":"bugs.id"})"));
}

TEST_F(RequestTest, ACursorContinuesTheQueryItComesFrom) {
  const std::string_view first = R"({"sort":[{"field":"createdAt"}],"size":1)";
  const auto plan = plan_search(std::string(first) + "}", rules_);
  ASSERT_TRUE(plan);
  const std::string cursor = encode_cursor(R"([9223372036854775807, 7])", plan->fingerprint);
  const auto next = plan_search(std::string(first) + R"(,"cursor":")" + cursor + "\"}", rules_);
  ASSERT_TRUE(next) << render(next.error());
  EXPECT_THAT(next->body, HasSubstr(R"("search_after":[9223372036854775807,7])"));
  // Another page size is the same query.
  EXPECT_TRUE(plan_search(R"({"sort":[{"field":"createdAt"}],"size":7,"cursor":")" + cursor + "\"}",
                          rules_));
  for (const char* other :
       {R"({"sort":[{"field":"createdAt","order":"desc"}])",
        R"({"sort":[{"field":"createdAt"}],"filter":{"exists":{"field":"id"}})", "{\"size\":1"}) {
    const auto refused =
        plan_search(std::string(other) + R"(,"cursor":")" + cursor + "\"}", rules_);
    ASSERT_FALSE(refused) << other;
    EXPECT_EQ(refused.error().list()[0].path, "cursor");
    EXPECT_THAT(refused.error().list()[0].expected, HasSubstr("another filter or sort"));
  }
}

TEST_F(RequestTest, ForgedCursorsAreRefused) {
  const auto plan = plan_search("{}", rules_).value();
  for (const std::string& cursor :
       {std::string("!"), std::string(), std::string("AAAA"),
        encode_cursor("[1,2]", plan.fingerprint), encode_cursor("[[1]]", plan.fingerprint),
        encode_cursor(R"([{"a":1}])", plan.fingerprint), encode_cursor("7", plan.fingerprint),
        encode_cursor("[1", plan.fingerprint), std::string(100'000, 'A')}) {
    const auto refused = plan_search(R"({"cursor":")" + cursor + "\"}", rules_);
    ASSERT_FALSE(refused) << cursor;
    EXPECT_EQ(refused.error().list()[0].path, "cursor");
  }
}

TEST_F(RequestTest, WithoutAKeyThereIsOnePage) {
  const Rules rules{.catalog = catalog_, .tiebreak = {}};
  const auto plan = plan_search("{}", rules);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->pages);
  EXPECT_FALSE(json::parse(plan->body).contains("sort"));
  const auto refused = plan_search(R"({"cursor":"AAAA"})", rules);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().list()[0].expected, HasSubstr("root's key"));
}

TEST_F(RequestTest, EachFaultNamesItsPlace) {
  std::string sorts;
  for (size_t i = 0; i <= kSortMax; ++i) sorts += (i == 0 ? "" : ",") + std::string("{}");
  std::string facets;
  for (size_t i = 0; i <= kFacetsMax; ++i) {
    facets += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) + R"(":{"field":"id"})";
  }
  struct Case {
    std::string body;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [body, path, expected] : std::vector<Case>{
           {"{", "", "JSON"},
           {"{\"\xff\":1}", "", "JSON"},
           {"[]", "", "a JSON object"},
           {R"({"size":1,"size":2})", "", "size"},
           {R"({"query":{}})", "query", "nothing; only filter, sort"},
           {R"({"size":-1})", "size", "0 to 200"},
           {R"({"size":201})", "size", "0 to 200"},
           {R"({"size":"9"})", "size", "0 to 200"},
           {R"({"size":1.5})", "size", "0 to 200"},
           {R"({"sort":{}})", "sort", "an array"},
           {R"({"sort":[)" + sorts + "]}", "sort", "at most 8"},
           {R"({"sort":["id"]})", "sort[0]", "an object with field, order"},
           {R"({"sort":[{}]})", "sort[0].field", "the name of a field"},
           {R"({"sort":[{"field":"x"}]})", "sort[0].field", "no field `x`"},
           {R"({"sort":[{"field":"title"}]})", "sort[0].field", "`title` is of type text"},
           {R"({"sort":[{"field":"blob"}]})", "sort[0].field", "without doc_values"},
           {R"({"sort":[{"field":"id"},{"field":"id"}]})", "sort[1].field", "each field once"},
           {R"({"sort":[{"field":"id","order":"up"}]})", "sort[0].order", "\"asc\" or \"desc\""},
           {R"({"sort":[{"field":"id","mode":"min"}]})", "sort[0].mode", "nothing"},
           {R"({"cursor":7})", "cursor", "the cursor of the answer before"},
           {R"({"facets":[]})", "facets", "at most 16"},
           {R"({"facets":{)" + facets + "}}", "facets", "at most 16"},
           {R"({"facets":{"a>b":{"field":"id"}}})", "facets.a>b", "letters, digits"},
           {R"({"facets":{"a":7}})", "facets.a", "an object with field, size"},
           {R"({"facets":{"a":{"field":"owner"}}})", "facets.a.field", "`owner` is of type object"},
           {R"({"facets":{"a":{"field":"id","size":0}}})", "facets.a.size", "1 to 1000"},
           {R"({"facets":{"a":{"field":"id","order":1}}})", "facets.a.order", "nothing"},
           {R"({"allowPartial":1})", "allowPartial", "true or false"},
           {R"({"fields":"id"})", "fields", "an array"},
           {R"({"fields":["x"]})", "fields[0]", "no field `x`"},
           {R"({"fields":["title.raw"]})", "fields[0]", "exists for searching only"},
           {R"({"filter":{"exists":{"field":"x"}}})", "filter.exists.field", "no field `x`"},
       }) {
    const auto plan = plan_search(body, rules_);
    ASSERT_FALSE(plan) << body;
    ASSERT_EQ(plan.error().list().size(), 1u) << body << ' ' << render(plan.error());
    EXPECT_EQ(plan.error().list()[0].path, path) << body;
    EXPECT_THAT(plan.error().list()[0].expected, HasSubstr(expected)) << body;
    EXPECT_TRUE(json::accept(render(plan.error()))) << body;
  }
  EXPECT_FALSE(plan_search(std::string(kBodyBytesMax + 1, ' ') + "{}", rules_));
}

TEST_F(RequestTest, CountIsExact) {
  const auto body = plan_count(R"({"filter":{"exists":{"field":"id"}}})", rules_);
  ASSERT_TRUE(body);
  EXPECT_EQ(json::parse(body->body), json::parse(R"({"size":0,"track_total_hits":true,
                            "query":{"bool":{"filter":[{"exists":{"field":"id"}}]}}})"));
  EXPECT_FALSE(plan_count(R"({"size":1})", rules_));
  EXPECT_TRUE(plan_count("", rules_));
}

TEST(Cursor, SurvivesTheRoundTrip) {
  for (const char* values :
       {"[1]", R"([null,"a\"b","é",-9223372036854775808,1.5e300])", "[true]"}) {
    const auto count = json::parse(values).size();
    const std::string text = encode_cursor(values, "q");
    EXPECT_EQ(
        text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string::npos);
    const Cursor cursor = decode_cursor(text, "q", count);
    EXPECT_FALSE(cursor.fault);
    EXPECT_EQ(cursor.values, values);
    EXPECT_EQ(decode_cursor(text, "r", count).fault, CursorFault::kOtherQuery);
    EXPECT_EQ(decode_cursor(text, "q", count + 1).fault, CursorFault::kUnreadable);
  }
}

}  // namespace
}  // namespace searchsync::query
