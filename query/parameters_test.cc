#include "query/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/request.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class ParametersTest : public testing::Test {
 protected:
  // The engine's body; null, and the faults in `faults_`.
  json body(const Parameters& parameters) {
    faults_ = {};
    const Ask ask =
        read_parameters(parameters, rules_.catalog, {"size", "cursor", "sort", "fields"}, faults_);
    const SearchPlan plan = plan_search(ask, rules_, faults_);
    return faults_.empty() ? json::parse(plan.body) : json();
  }

  const Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(),
                     .tiebreak = {"id"},
                     .page_size_max = 200};
  Faults faults_;
};

TEST_F(ParametersTest, EachFilterIsReadAsItsFieldWants) {
  struct Case {
    Parameters parameters;
    std::string_view filters;
  };
  for (const auto& [parameters, filters] : std::vector<Case>{
           {{{"testName", "5"}}, R"([{"term":{"testName":{"value":"5"}}}])"},
           {{{"id", "5"}}, R"([{"term":{"id":{"value":5}}}])"},
           {{{"coverage", "0.50"}}, R"([{"term":{"coverage":{"value":0.50}}}])"},
           {{{"passed", "true"}}, R"([{"term":{"passed":{"value":true}}}])"},
           {{{"id", "1"}, {"id", "2"}}, R"([{"terms":{"id":[1,2]}}])"},
           {{{"testName", "a,b"}}, R"([{"term":{"testName":{"value":"a,b"}}}])"},
           {{{"testName.not", "a"}},
            R"([{"bool":{"must_not":[{"term":{"testName":{"value":"a"}}}]}}])"},
           {{{"createdAt.gte", "now-30d"}, {"createdAt.lt", "1705276800000"}},
            R"([{"range":{"createdAt":{"gte":"now-30d"}}},
                {"range":{"createdAt":{"lt":1705276800000}}}])"},
           {{{"createdAt.gte", "2024"}}, R"([{"range":{"createdAt":{"gte":"2024"}}}])"},
           {{{"owner.team.exists", "true"}}, R"([{"exists":{"field":"owner.team"}}])"},
           {{{"owner.team.exists", "false"}},
            R"([{"bool":{"must_not":[{"exists":{"field":"owner.team"}}]}}])"},
           {{{"testName.prefix", "auth_"}}, R"([{"prefix":{"testName":{"value":"auth_"}}}])"},
           {{{"title.text", "log in"}},
            R"([{"match":{"title":{"query":"log in","operator":"and"}}}])"},
           {{{"title.raw", "x"}}, R"([{"term":{"title.raw":{"value":"x"}}}])"},
           {{{"bugs.id", "B1"}},
            R"([{"nested":{"path":"bugs","query":{"term":{"bugs.id":{"value":"B1"}}}}}])"},
       }) {
    const json got = body(parameters);
    EXPECT_EQ(got["query"]["bool"]["filter"], json::parse(filters))
        << parameters[0].first << ' ' << render(faults_);
  }
}

TEST_F(ParametersTest, ControlsAreAsInABody) {
  const json got = body({{"fields", "id,owner.email"}, {"size", "7"}, {"sort", "-createdAt,id"}});
  EXPECT_EQ(got["size"], 7) << render(faults_);
  EXPECT_EQ(got["_source"], json({"id", "owner.email"}));
  EXPECT_EQ(got["sort"][0]["createdAt"]["order"], "desc");
  EXPECT_EQ(got["sort"][1]["id"]["order"], "asc");
  EXPECT_EQ(got["query"], json::parse(R"({"match_all":{}})"));
}

TEST_F(ParametersTest, EachFaultNamesItsParameter) {
  struct Case {
    Parameters parameters;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [parameters, path, expected] : std::vector<Case>{
           {{{"testname", "a"}}, "testname", "did you mean `testName`?"},
           {{{"testName.like", "a"}}, "testName.like", "no field"},
           {{{"q", "a"}}, "q", "a parameter of this path, or a field"},
           {{{"id", "x"}}, "id.equals.value", "an integer of type long"},
           {{{"id", ""}}, "id.equals.value", "an integer of type long"},
           {{{"id", "1 OR 1=1"}}, "id.equals.value", "an integer of type long"},
           {{{"id.gte", "{}"}}, "id.gte.range.gte", "a number"},
           {{{"passed", "yes"}}, "passed.equals.value", "true or false"},
           {{{"createdAt.gte", "yesterday"}}, "createdAt.gte.range.gte", "a time like"},
           {{{"title", "x"}}, "title.equals.field", "use `text`"},
           {{{"note", "x"}}, "note.equals.field", "switch searching of `note` off"},
           {{{"owner.team.exists", "maybe"}}, "owner.team.exists", "true or false"},
           {{{"id.gte", "1"}, {"id.gte", "2"}}, "id.gte", "once"},
           {{{"size", "many"}}, "size", "0 to 200"},
           {{{"size", "1"}, {"size", "2"}}, "size", "once"},
           {{{"sort", "nope"}}, "sort[0].field", "no field `nope`"},
           {{{"sort", ""}}, "sort[0].field", "no field ``"},
           {{{"fields", "id,"}}, "fields[1]", "no field ``"},
           {{{"cursor", "x"}}, "cursor", "unchanged"},
           {{{"testName", "\xff"}}, "", "UTF-8"},
           {{{"\xff", "a"}}, "", "UTF-8"},
       }) {
    body(parameters);
    ASSERT_EQ(faults_.list().size(), 1u) << parameters[0].first << ' ' << render(faults_);
    EXPECT_EQ(faults_.list()[0].path, path);
    EXPECT_THAT(faults_.list()[0].expected, HasSubstr(expected));
    EXPECT_TRUE(json::accept(render(faults_)));
  }
}

TEST_F(ParametersTest, ATimelineIsNewestFirst) {
  Faults faults;
  Ask ask = read_parameters({{"owner.email", "a@x"}}, rules_.catalog, {"size"}, faults);
  make_timeline("createdAt", rules_.catalog, ask, faults);
  const auto plan = plan_search(ask, rules_, faults);
  ASSERT_TRUE(faults.empty()) << render(faults);
  const json got = json::parse(plan.body);
  EXPECT_EQ(got["query"]["bool"]["filter"][1], json::parse(R"({"exists":{"field":"createdAt"}})"));
  EXPECT_EQ(got["sort"][0]["createdAt"]["order"], "desc");
  EXPECT_TRUE(plan.pages);
  for (const char* field : {"nope", "testName", "title", "\xff", ""}) {
    Faults refused;
    Ask other;
    make_timeline(field, rules_.catalog, other, refused);
    ASSERT_EQ(refused.list().size(), 1u) << field;
    EXPECT_EQ(refused.list()[0].path, "timelines");
    EXPECT_TRUE(json::accept(render(refused)));
  }
}

}  // namespace
}  // namespace searchsync::query
