#include "query/screeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/model/json.h"
#include "query/check.h"
#include "query/request.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class ScreenersTest : public testing::Test {
 protected:
  static model::ScreenerSpec team() {
    return {.name = "team",
            .description = "of a team",
            .filter = model::JsonText{R"({"and":[
                {"equals":{"field":"owner.team","value":"{{team}}"}},
                {"in":{"field":"severity","values":"{{severities}}"}},
                {"not":{"range":{"field":"createdAt","gte":"{{since}}"}}},
                {"in":{"field":"testName","values":["always","{{team}}"]}}]})"},
            .sort = {{"createdAt", model::SortOrder::kDescending}},
            .facets = model::JsonText{R"({"by":{"field":"severity"}})"},
            .fields = {"id"},
            .size = 7};
  }

  // The engine's body; null, and the faults in `faults_`.
  json body(const Arguments& arguments, const Ask& rest = {}) {
    faults_ = {};
    const auto screeners = read_screeners(std::vector{team()});
    const Ask ask = fill_in(screeners[0], arguments, rest, rules_, faults_);
    const auto plan = plan_search(ask, rules_, faults_);
    return faults_.empty() ? json::parse(plan.body) : json();
  }

  static Argument node(std::string_view text) { return model::parse_json(text).value(); }
  static Argument texts(std::vector<std::string> all) { return all; }

  const Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(),
                     .tiebreak = {"id"},
                     .page_size_max = 200};
  Faults faults_;
};

TEST_F(ScreenersTest, ArgumentsStandWhereParametersStood) {
  const auto filters = json::parse(R"([{"bool":{"filter":[
      {"term":{"owner.team":{"value":"core"}}},
      {"terms":{"severity":[1,2]}},
      {"bool":{"must_not":[{"range":{"createdAt":{"gte":"now-1d"}}}]}},
      {"terms":{"testName":["always","core"]}}]}}])");
  const json of_url = body(
      {{"team", texts({"core"})}, {"severities", texts({"1", "2"})}, {"since", texts({"now-1d"})}});
  EXPECT_EQ(of_url["query"]["bool"]["filter"], filters) << render(faults_);
  const json of_body = body(
      {{"team", node("\"core\"")}, {"severities", node("[1,2]")}, {"since", node("\"now-1d\"")}});
  EXPECT_EQ(of_body, of_url) << render(faults_);
  EXPECT_EQ(of_url["size"], 7);
  EXPECT_EQ(of_url["_source"], json({"id"}));
  EXPECT_EQ(of_url["sort"][0]["createdAt"]["order"], "desc");
  EXPECT_TRUE(of_url["aggs"].contains("by"));
  // One value where several may be.
  EXPECT_EQ(body({{"team", node("\"core\"")},
                  {"severities", node("3")},
                  {"since", node("\"now\"")}})["query"]["bool"]["filter"][0]["bool"]["filter"][1],
            json::parse(R"({"terms":{"severity":[3]}})"));
}

TEST_F(ScreenersTest, WhoAsksDecidesOnThePage) {
  Ask rest;
  rest.set("size", {int64_t{3}, {}});
  const Arguments arguments = {
      {"team", texts({"a"})}, {"severities", texts({"1"})}, {"since", texts({"now"})}};
  EXPECT_EQ(body(arguments, rest)["size"], 3) << render(faults_);
}

TEST_F(ScreenersTest, AnArgumentCanBeNothingButAValue) {
  const Arguments good = {
      {"team", texts({"a"})}, {"severities", texts({"1"})}, {"since", texts({"now"})}};
  struct Case {
    std::string name;
    Argument argument;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [name, argument, path, expected] : std::vector<Case>{
           {"team", node(R"({"exists":{"field":"id"}})"), "team", "a value"},
           {"team", node("[\"a\"]"), "screener.filter.and[0].equals.value", "a string"},
           {"team", node("7"), "screener.filter.and[0].equals.value", "a string"},
           {"team", texts({"a", "b"}), "team", "this parameter once"},
           {"severities", texts({"1", "x"}), "screener.filter.and[1].in.values[1]", "an integer"},
           {"severities", node("[]"), "screener.filter.and[1].in.values", "an array of 1 to"},
           {"severities", node("[[1]]"), "screener.filter.and[1].in.values[0]", "an integer"},
           {"since", texts({"yesterday"}), "screener.filter.and[2].not.range.gte", "a time"},
           {"other", texts({"x"}), "other", "parameters are team, severities, since"},
       }) {
    Arguments arguments = good;
    arguments[name] = argument;
    body(arguments);
    ASSERT_FALSE(faults_.empty()) << name << expected;
    EXPECT_EQ(faults_.list()[0].path, path);
    EXPECT_THAT(faults_.list()[0].expected, HasSubstr(expected));
  }
  // What looks like JSON or like another parameter is a text.
  const json got = body({{"team", texts({R"("},{"match_all":{}},{")"})},
                         {"severities", texts({"1"})},
                         {"since", texts({"now"})}});
  EXPECT_EQ(got["query"]["bool"]["filter"][0]["bool"]["filter"][0]["term"]["owner.team"]["value"],
            R"("},{"match_all":{}},{")");
  body({{"team", texts({"a"})}});
  EXPECT_EQ(faults_.list().size(), 2u);
  EXPECT_EQ(faults_.list()[0].path, "severities");
}

TEST_F(ScreenersTest, ParametersOfAUrlAreControlsOrArguments) {
  Faults faults;
  Ask rest;
  const auto arguments =
      read_arguments({{"a", "1"}, {"a", "2"}, {"b", ""}, {"size", "3"}}, {"size"}, rest, faults);
  EXPECT_TRUE(faults.empty());
  EXPECT_EQ(std::get<std::vector<std::string>>(arguments.at("a")),
            std::vector<std::string>({"1", "2"}));
  EXPECT_EQ(arguments.size(), 2u);
  EXPECT_EQ(to_json(rest.rest), R"({"size":3})");
  read_arguments({{"a", "\xff"}}, {}, rest, faults);
  EXPECT_EQ(faults.list().size(), 1u);
}

TEST_F(ScreenersTest, BrokenOnesAreFoundWithoutArguments) {
  const auto faults_of = [&](const model::ScreenerSpec& spec) {
    std::vector<std::string> paths;
    const Faults found = check_screener(read_screeners(std::vector{spec})[0], rules_);
    for (const auto& fault : found.list()) {
      paths.push_back(fault.path);
    }
    return paths;
  };
  EXPECT_THAT(faults_of(team()), ElementsAre());
  EXPECT_THAT(faults_of({.name = "a",
                         .filter = model::JsonText{R"({"equals":{"field":"x","value":"{{y}}"}})"},
                         .sort = {{"title"}},
                         .facets = model::JsonText{R"({"a b":{"field":"id"}})"},
                         .fields = {"title.raw"},
                         .size = 1000}),
              ElementsAre("screener.filter.equals.field", "sort[0].field", "size", "facets.a b",
                          "fields[0]"));
  EXPECT_THAT(
      faults_of({.name = "a",
                 .filter = model::JsonText{R"({"equals":{"field":"id","value":"{{size}}"}})"}}),
      ElementsAre("screener.filter"));
}

TEST_F(ScreenersTest, ValidateNamesThePlaceInTheResource) {
  model::Resources resources;
  resources.indices.resize(1);
  auto& index = resources.indices[0];
  index.metadata.name = "runs";
  index.spec.mappings = test_mappings();
  index.spec.query.screeners = {team(), {.name = "bad", .sort = {{"nope"}}}};
  const auto faults = check_queries(resources, {});
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].path, "spec.query.screeners[1].sort[0].field");
  EXPECT_THAT(faults[0].message, HasSubstr("no field `nope`"));
  index.spec.query.filterable = {"nope"};
  EXPECT_EQ(check_queries(resources, {})[0].path, "spec.query");
}

TEST_F(ScreenersTest, AreListed) {
  EXPECT_EQ(json::parse(render_screeners(read_screeners(std::vector{team()}))),
            json::parse(R"({"screeners":[{"name":"team","description":"of a team",
                            "parameters":["team","severities","since"]}]})"));
}

}  // namespace
}  // namespace searchsync::query
