#include "query/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/model/json.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class FilterTest : public testing::Test {
 protected:
  std::string translate(std::string_view filter, Faults& faults) {
    const auto node = model::parse_json(filter);
    EXPECT_TRUE(node) << filter;
    return translate_filter(*node, "filter", catalog_, faults);
  }

  const FieldCatalog catalog_ = FieldCatalog::create(test_mappings(), {}).value();
};

TEST_F(FilterTest, BecomesAQuery) {
  struct Case {
    std::string_view filter;
    std::string_view query;
  };
  for (const auto& [filter, query] : std::vector<Case>{
           {R"({"equals":{"field":"testName","value":"a\"b"}})",
            R"({"term":{"testName":{"value":"a\"b"}}})"},
           {R"({"equals":{"field":"severity","value":-128}})",
            R"({"term":{"severity":{"value":-128}}})"},
           {R"({"equals":{"field":"big","value":18446744073709551615}})",
            R"({"term":{"big":{"value":18446744073709551615}}})"},
           {R"({"equals":{"field":"coverage","value":0.25}})",
            R"({"term":{"coverage":{"value":0.25}}})"},
           {R"({"equals":{"field":"passed","value":true}})",
            R"({"term":{"passed":{"value":true}}})"},
           {R"({"equals":{"field":"createdAt","value":"2024-01-15"}})",
            R"({"term":{"createdAt":{"value":"2024-01-15"}}})"},
           {R"({"equals":{"field":"built","value":"2024/01/15"}})",
            R"({"term":{"built":{"value":"2024/01/15"}}})"},
           {R"({"equals":{"field":"host","value":"10.0.0.0/8"}})",
            R"({"term":{"host":{"value":"10.0.0.0/8"}}})"},
           {R"({"equals":{"field":"who","value":"x"}})", R"({"term":{"who":{"value":"x"}}})"},
           {R"({"equals":{"field":"owner.email","value":"x"}})",
            R"({"term":{"owner.email":{"value":"x"}}})"},
           {R"({"in":{"field":"testName","values":["a","b"]}})",
            R"({"terms":{"testName":["a","b"]}})"},
           {R"({"exists":{"field":"title"}})", R"({"exists":{"field":"title"}})"},
           {R"({"exists":{"field":"owner"}})", R"({"exists":{"field":"owner"}})"},
           {R"({"exists":{"field":"place"}})", R"({"exists":{"field":"place"}})"},
           {R"({"exists":{"field":"bugs"}})",
            R"({"nested":{"path":"bugs","query":{"match_all":{}}}})"},
           {R"({"range":{"field":"createdAt","gte":"now-30d","lt":"now/d"}})",
            R"({"range":{"createdAt":{"gte":"now-30d","lt":"now/d"}}})"},
           {R"({"range":{"field":"createdAt","gt":1705314600000}})",
            R"({"range":{"createdAt":{"gt":1705314600000}}})"},
           {R"({"range":{"field":"severity","gte":1.5,"lte":3}})",
            R"({"range":{"severity":{"gte":1.5,"lte":3}}})"},
           {R"({"range":{"field":"testName","gte":"a","lt":"b"}})",
            R"({"range":{"testName":{"gte":"a","lt":"b"}}})"},
           {R"({"prefix":{"field":"testName","value":"auth_"}})",
            R"({"prefix":{"testName":{"value":"auth_"}}})"},
           {R"({"text":{"field":"title","query":"log in"}})",
            R"({"match":{"title":{"query":"log in","operator":"and"}}})"},
           {R"({"and":[{"exists":{"field":"id"}},{"exists":{"field":"title"}}]})",
            R"({"bool":{"filter":[{"exists":{"field":"id"}},{"exists":{"field":"title"}}]}})"},
           {R"({"or":[{"exists":{"field":"id"}},{"exists":{"field":"title"}}]})",
            R"({"bool":{"should":[{"exists":{"field":"id"}},{"exists":{"field":"title"}}],
                "minimum_should_match":1}})"},
           {R"({"not":{"exists":{"field":"id"}}})",
            R"({"bool":{"must_not":[{"exists":{"field":"id"}}]}})"},
           {R"({"equals":{"field":"bugs.id","value":"B1"}})",
            R"({"nested":{"path":"bugs","query":{"term":{"bugs.id":{"value":"B1"}}}}})"},
           {R"({"equals":{"field":"bugs.hits.count","value":3}})",
            R"({"nested":{"path":"bugs.hits","query":{"term":{"bugs.hits.count":{"value":3}}}}})"},
           {R"({"nested":{"path":"bugs","filter":{"and":[
                {"equals":{"field":"bugs.id","value":"B1"}},
                {"range":{"field":"bugs.hits.count","gt":3}}]}}})",
            R"({"nested":{"path":"bugs","query":{"bool":{"filter":[
                {"term":{"bugs.id":{"value":"B1"}}},
                {"nested":{"path":"bugs.hits",
                           "query":{"range":{"bugs.hits.count":{"gt":3}}}}}]}}}})"},
       }) {
    Faults faults;
    const std::string got = translate(filter, faults);
    ASSERT_TRUE(faults.empty()) << filter << ' ' << render(faults);
    EXPECT_EQ(json::parse(got), json::parse(query)) << filter;
  }
}

TEST_F(FilterTest, EachFaultNamesItsPlaceAndWhatWasExpected) {
  struct Case {
    std::string_view filter;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [filter, path, expected] : std::vector<Case>{
           {R"([])", "filter", "exactly one of"},
           {R"({})", "filter", "exactly one of"},
           {R"({"not":{},"and":[]})", "filter", "exactly one of"},
           {R"({"equal":{}})", "filter", "no operator `equal`"},
           {R"({"and":{}})", "filter.and", "at least one filter"},
           {R"({"or":[]})", "filter.or", "at least one filter"},
           {R"({"and":[{"exists":{"field":"id"}},7]})", "filter.and[1]", "exactly one of"},
           {R"({"not":{"or":[{"exists":{"field":"x"}}]}})", "filter.not.or[0].exists.field",
            "no field `x`"},
           {R"({"equals":7})", "filter.equals", "an object with field, value"},
           {R"({"equals":{"value":1}})", "filter.equals.field", "the name of a field"},
           {R"({"equals":{"field":7,"value":1}})", "filter.equals.field", "the name of a field"},
           {R"({"equals":{"field":"id"}})", "filter.equals.value", "the value"},
           {R"({"equals":{"field":"id","value":1,"boost":2}})", "filter.equals.boost", "nothing"},
           {R"({"equals":{"field":"testname","value":"x"}})", "filter.equals.field",
            "did you mean `testName`?"},
           {R"({"equals":{"field":"title","value":"x"}})", "filter.equals.field", "use `text`"},
           {R"({"equals":{"field":"owner","value":"x"}})", "filter.equals.field",
            "understands only exists"},
           {R"({"equals":{"field":"note","value":"x"}})", "filter.equals.field", "searchable"},
           {R"({"equals":{"field":"testName","value":7}})", "filter.equals.value", "a string"},
           {R"({"equals":{"field":"testName","value":null}})", "filter.equals.value", "exists"},
           {R"({"equals":{"field":"testName","value":["a"]}})", "filter.equals.value", "a string"},
           {R"({"equals":{"field":"id","value":"7"}})", "filter.equals.value", "an integer"},
           {R"({"equals":{"field":"id","value":1.5}})", "filter.equals.value", "an integer"},
           {R"({"equals":{"field":"severity","value":128}})", "filter.equals.value", "byte"},
           {R"({"equals":{"field":"big","value":-1}})", "filter.equals.value", "unsigned_long"},
           {R"({"equals":{"field":"big","value":18446744073709551616}})", "filter.equals.value",
            "unsigned_long"},
           {R"({"equals":{"field":"coverage","value":"1"}})", "filter.equals.value", "a number"},
           {R"({"equals":{"field":"passed","value":"true"}})", "filter.equals.value",
            "true or false"},
           {R"({"equals":{"field":"createdAt","value":"yesterday"}})", "filter.equals.value",
            "now-30d"},
           {R"({"equals":{"field":"built","value":true}})", "filter.equals.value", "yyyy/MM/dd"},
           {R"({"equals":{"field":"host","value":"10.0.0"}})", "filter.equals.value", "IP address"},
           {R"({"equals":{"field":"host","value":"10.0.0.0/33"}})", "filter.equals.value",
            "IP address"},
           {R"({"in":{"field":"id","values":[]}})", "filter.in.values", "1 to 1024"},
           {R"({"in":{"field":"id","values":7}})", "filter.in.values", "1 to 1024"},
           {R"({"in":{"field":"id","values":[1,"x"]}})", "filter.in.values[1]", "an integer"},
           {R"({"exists":{"field":"note"}})", "filter.exists.field", "searchable"},
           {R"({"range":{"field":"id"}})", "filter.range", "at least one bound"},
           {R"({"range":{"field":"id","gt":1,"gte":1}})", "filter.range", "one lower bound"},
           {R"({"range":{"field":"createdAt","gte":"now-30x"}})", "filter.range.gte", "now-30d"},
           {R"({"range":{"field":"passed","gte":true}})", "filter.range.field",
            "understands only equals, in, exists"},
           {R"({"range":{"field":"id","from":1,"gt":0}})", "filter.range.from", "nothing"},
           {R"({"prefix":{"field":"id","value":"1"}})", "filter.prefix.field", "understands only"},
           {R"({"prefix":{"field":"testName","value":""}})", "filter.prefix.value", "a string"},
           {R"({"prefix":{"field":"testName"}})", "filter.prefix.value", "a string"},
           {R"({"text":{"field":"testName","query":"x"}})", "filter.text.field",
            "understands only"},
           {R"({"text":{"field":"title","query":7}})", "filter.text.query", "a string"},
           {R"({"nested":{"path":"owner","filter":{"exists":{"field":"id"}}}})",
            "filter.nested.path", "of type nested"},
           {R"({"nested":{"path":"bugs"}})", "filter.nested.filter", "a filter"},
           {R"({"nested":{"path":"bugs","filter":{"exists":{"field":"id"}}}})",
            "filter.nested.filter.exists.field", "a field of `bugs`"},
       }) {
    Faults faults;
    translate(filter, faults);
    ASSERT_EQ(faults.list().size(), 1u) << filter << ' ' << render(faults);
    EXPECT_EQ(faults.list()[0].path, path) << filter;
    EXPECT_THAT(faults.list()[0].expected, HasSubstr(expected)) << filter;
  }
}

TEST_F(FilterTest, AllFaultsComeInOneAnswer) {
  Faults faults;
  translate(R"({"and":[{"equals":{"field":"x","value":1}},
                       {"range":{"field":"createdAt","gte":"soon","lt":"late"}},
                       {"or":[{"nonsense":1}]}]})",
            faults);
  std::vector<std::string> paths;
  for (const Fault& fault : faults.list()) paths.push_back(fault.path);
  EXPECT_THAT(paths, testing::ElementsAre("filter.and[0].equals.field", "filter.and[1].range.gte",
                                          "filter.and[1].range.lt", "filter.and[2].or[0]"));
}

TEST_F(FilterTest, HasLimits) {
  const auto nest = [](int depth) {
    std::string filter = R"({"exists":{"field":"id"}})";
    for (int i = 1; i < depth; ++i) filter = R"({"not":)" + filter + "}";
    return filter;
  };
  const auto wide = [](int nodes) {
    std::string filter = R"({"and":[)";
    for (int i = 1; i < nodes; ++i) filter += R"({"exists":{"field":"id"}},)";
    filter.back() = ']';
    return filter + "}";
  };
  const auto values = [](size_t count) {
    std::string filter = R"({"in":{"field":"id","values":[)";
    for (size_t i = 0; i < count; ++i) filter += "1,";
    filter.back() = ']';
    return filter + "}}";
  };
  const auto text = [](size_t bytes) {
    return R"({"equals":{"field":"testName","value":")" + std::string(bytes, 'x') + "\"}}";
  };
  const std::vector<std::pair<std::string, std::string>> limits{
      {nest(kFilterDepthMax), nest(kFilterDepthMax + 1)},
      {wide(kFilterNodesMax), wide(kFilterNodesMax + 50)},
      {values(kInValuesMax), values(kInValuesMax + 1)},
      {text(kValueBytesMax), text(kValueBytesMax + 1)}};
  for (const auto& [within, beyond] : limits) {
    Faults none;
    translate(within, none);
    EXPECT_TRUE(none.empty()) << render(none);
    Faults one;
    translate(beyond, one);
    EXPECT_EQ(one.list().size(), 1u) << render(one);
  }
}

TEST_F(FilterTest, FieldsThatQueriesMayNotUseAreRefused) {
  const auto catalog = FieldCatalog::create(test_mappings(), {"id"}).value();
  Faults faults;
  translate_filter(*model::parse_json(R"({"equals":{"field":"testName","value":"x"}})"), "filter",
                   catalog, faults);
  ASSERT_EQ(faults.list().size(), 1u);
  EXPECT_THAT(faults.list()[0].expected, HasSubstr("not in spec.query.filterable"));
}

TEST(Faults, AreBoundedAndRendered) {
  Faults faults;
  for (int i = 0; i < 1000; ++i) faults.add("a\"b", "c\nd");
  EXPECT_LE(faults.list().size(), 50u);
  Faults one;
  one.add("a\"b", "c\nd");
  EXPECT_EQ(json::parse(render(one)),
            json::parse(R"({"error":{"code":"invalid_request","message":"a\"b: c\nd",
                            "faults":[{"path":"a\"b","expected":"c\nd"}]}})"));
}

}  // namespace
}  // namespace searchsync::query
