#include "query/answer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/cursor.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;

SearchPlan plan_of(size_t size, std::vector<Facet> facets = {}) {
  SearchPlan plan;
  plan.fingerprint = "q";
  plan.size = size;
  plan.facets = std::move(facets);
  return plan;
}

std::string response(std::string_view hits, std::string_view rest = "") {
  return fmt::format(R"({{"took":4,"timed_out":false,"_shards":{{"total":1,"failed":0}},
      "hits":{{"total":{{"value":12,"relation":"eq"}},"max_score":null,"hits":[{}]}}{}}})",
                     hits, rest);
}

json members(const Answer& answer) {
  return json::parse("{" + answer.members + "}");
}

TEST(SearchAnswer, CopiesDocumentsAsTheyAre) {
  const std::string_view source = "{ \"b\":1.10,\n \"a\":\"\\u00e9\" }";
  const auto answer = search_answer(
      200,
      response(
          fmt::format(R"({{"_index":"i","_id":"x\"y","_score":null,"_source":{},"sort":[5 , "x"]}},
                               {{"_id":"2","_source":{{}},"sort":[6,"y"]}})",
                      source)),
      plan_of(2));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->engine_took_ms, 4);
  EXPECT_THAT(answer->members, HasSubstr(source));
  const json got = members(*answer);
  EXPECT_EQ(got["total"], json::parse(R"({"value":12,"relation":"eq"})"));
  EXPECT_EQ(got["hits"][0]["id"], "x\"y");
  EXPECT_EQ(got["hits"][1], json::parse(R"({"id":"2","source":{}})"));
  EXPECT_EQ(decode_cursor(got["cursor"].get<std::string>(), "q", 2).values, R"([6,"y"])");
}

TEST(SearchAnswer, OnlyAFullPageHasACursor) {
  const std::string one = response(R"({"_id":"1","sort":[1]})");
  EXPECT_FALSE(members(*search_answer(200, one, plan_of(2))).contains("cursor"));
  EXPECT_TRUE(members(*search_answer(200, one, plan_of(1))).contains("cursor"));
  EXPECT_FALSE(members(*search_answer(200, response(""), plan_of(0))).contains("cursor"));
  SearchPlan keyless = plan_of(1);
  keyless.pages = false;
  EXPECT_FALSE(members(*search_answer(200, one, keyless)).contains("cursor"));
}

TEST(SearchAnswer, HasFacetsWithValuesAndCounts) {
  const auto answer = search_answer(200, response("", R"(,"aggregations":{
        "owner":{"doc_count_error_upper_bound":0,"sum_other_doc_count":3,"buckets":[
          {"key":"a\"b","doc_count":5},{"key":"c","doc_count":2}]},
        "passed":{"sum_other_doc_count":0,"buckets":[
          {"key":1,"key_as_string":"true","doc_count":5}]},
        "day":{"sum_other_doc_count":0,"buckets":[
          {"key":1705276800000,"key_as_string":"2024-01-15","doc_count":5}]},
        "count":{"sum_other_doc_count":0,"buckets":[{"key":7,"doc_count":5}]},
        "bug":{"doc_count":9,"values":{"buckets":[
          {"key":"B1","doc_count":9,"documents":{"doc_count":4}}],"sum_other_doc_count":1}}})"),
                                    plan_of(0, {{.name = "owner"},
                                                {.name = "passed", .boolean = true},
                                                {.name = "day"},
                                                {.name = "count"},
                                                {.name = "bug", .nested = true}}));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(members(*answer)["facets"], json::parse(R"({
      "owner":{"buckets":[{"value":"a\"b","count":5},{"value":"c","count":2}],"otherCount":3},
      "passed":{"buckets":[{"value":true,"count":5}],"otherCount":0},
      "day":{"buckets":[{"value":"2024-01-15","count":5}],"otherCount":0},
      "count":{"buckets":[{"value":7,"count":5}],"otherCount":0},
      "bug":{"buckets":[{"value":"B1","count":4}]}})"));
}

TEST(SearchAnswer, NeverIsPartial) {
  const auto fault = [](int status, std::string_view body) {
    const auto answer = search_answer(status, body, plan_of(1));
    EXPECT_FALSE(answer) << body;
    return answer ? EngineFault::kRefused : answer.error().fault;
  };
  const std::string_view hits = R"("hits":{"total":{"value":0,"relation":"eq"},"hits":[]})";
  EXPECT_EQ(fault(200, fmt::format(R"({{"timed_out":true,"_shards":{{"failed":0}},{}}})", hits)),
            EngineFault::kSlow);
  EXPECT_EQ(fault(200, fmt::format(R"({{"timed_out":false,"_shards":{{"failed":1}},{}}})", hits)),
            EngineFault::kPartial);
  EXPECT_EQ(fault(500, R"({"error":{"type":"search_phase_execution_exception"}})"),
            EngineFault::kPartial);
  EXPECT_EQ(fault(400, R"({"error":{"type":"parse_exception"}})"), EngineFault::kRefused);
  EXPECT_EQ(fault(401, ""), EngineFault::kCredentials);
  EXPECT_EQ(fault(403, ""), EngineFault::kCredentials);
  EXPECT_EQ(fault(404, R"({"error":{"type":"index_not_found_exception"}})"), EngineFault::kAway);
  EXPECT_EQ(fault(429, ""), EngineFault::kAway);
  EXPECT_EQ(fault(503, "<html>"), EngineFault::kAway);
  EXPECT_EQ(fault(504, ""), EngineFault::kSlow);
  EXPECT_EQ(fault(302, ""), EngineFault::kUnreadable);
}

TEST(SearchAnswer, IsPartialOnlyIfThatIsAllowedAndSaysSo) {
  SearchPlan plan = plan_of(1);
  plan.partial = Partial::kAllowed;
  const auto body = [](std::string_view late, int failed) {
    return fmt::format(R"({{"took":4,"timed_out":{},"_shards":{{"total":3,"failed":{}}},
        "hits":{{"total":{{"value":2,"relation":"eq"}},"hits":[{{"_id":"1","sort":[1]}}]}}}})",
                       late, failed);
  };
  const json whole = members(*search_answer(200, body("false", 0), plan));
  EXPECT_FALSE(whole.contains("partial"));
  EXPECT_TRUE(whole.contains("cursor"));
  EXPECT_EQ(whole["total"]["relation"], "eq");
  const json late = members(*search_answer(200, body("true", 0), plan));
  EXPECT_EQ(late["partial"], true);
  EXPECT_EQ(late["partialReasons"], json({"the search engine did not finish in time"}));
  EXPECT_EQ(late["total"], json::parse(R"({"value":2,"relation":"gte"})"));
  EXPECT_FALSE(late.contains("cursor")) << "documents would be missed";
  const json both = members(*search_answer(200, body("true", 2), plan));
  EXPECT_EQ(both["partialReasons"][1], "2 of 3 shards failed");
  const json count = members(*count_answer(200, body("false", 1), plan));
  EXPECT_EQ(count, json::parse(R"({"count":2,"partial":true,
                                   "partialReasons":["1 of 3 shards failed"]})"));
  EXPECT_FALSE(count_answer(200, body("false", 1), {}));
  // As OpenSearch answers if a shard is nowhere.
  const std::string missing = R"({"took":4,"timed_out":false,
      "_shards":{"total":3,"successful":2,"skipped":1,"failed":0},
      "hits":{"total":{"value":2,"relation":"eq"},"hits":[]}})";
  EXPECT_EQ(members(*count_answer(200, missing, plan))["partialReasons"],
            json({"1 of 3 shards failed"}));
  EXPECT_FALSE(count_answer(200, missing, {}));
  EXPECT_FALSE(search_answer(503, "", plan)) << "nothing is not a part";
}

TEST(SearchAnswer, RefusesWhatIsNotWhole) {
  const std::string whole = response(R"({"_id":"1","_source":{"a":[1,2]},"sort":[1]})");
  ASSERT_TRUE(search_answer(200, whole, plan_of(1)));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(search_answer(200, whole.substr(0, length), plan_of(1))) << length;
  }
  for (const char* body : {"{}", "[]", "null", R"({"timed_out":false,"_shards":{"failed":0}})"}) {
    EXPECT_FALSE(search_answer(200, body, plan_of(1))) << body;
  }
}

TEST(CountAnswer, IsTheTotal) {
  const auto answer = count_answer(200, response(""), {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->members, "\"count\":12");
}

TEST(DocumentAnswer, TellsFoundFromNot) {
  const auto found = document_answer(
      200, R"({"_index":"i","_id":"1","_version":5,"found":true,"_source":{"a": 1.0}})");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->members, R"("id":"1","source":{"a": 1.0})");
  EXPECT_EQ(document_answer(404, R"({"_id":"1","found":false})").value().members, "");
  EXPECT_EQ(document_answer(404, R"({"error":{"type":"index_not_found_exception"}})").error().fault,
            EngineFault::kAway);
  EXPECT_FALSE(document_answer(200, R"({"_id":"1","found":true})"));
  EXPECT_FALSE(document_answer(200, "x"));
}

}  // namespace
}  // namespace searchsync::query
