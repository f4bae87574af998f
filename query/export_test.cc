#include "query/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/csv.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ExportTest : public testing::Test {
 protected:
  ExportPlan plan(std::string_view body) {
    faults_ = {};
    const auto ask = read_body(body, {"filter", "sort", "fields", "limit", "format"}, faults_);
    return ask ? plan_export(*ask, rules_, faults_) : ExportPlan{};
  }

  Rules rules_{.catalog = FieldCatalog::create(test_mappings(), {}).value(), .tiebreak = {"id"}};
  Faults faults_;
};

TEST_F(ExportTest, APageIsAskedOfAPointInTime) {
  const auto made = plan(R"({"filter":{"equals":{"field":"testName","value":"a"}},
                             "sort":[{"field":"createdAt"}],"fields":["id"],"limit":7})");
  ASSERT_TRUE(faults_.empty()) << render(faults_);
  EXPECT_EQ(made.limit, 7);
  EXPECT_EQ(made.format, ExportFormat::kNdjson);
  const json body = json::parse(export_page_body(made, "p\"1", "5m", 3, "[1,2]"));
  EXPECT_EQ(body, json::parse(R"({
      "size":3,"track_total_hits":false,"_source":["id"],
      "query":{"bool":{"filter":[{"term":{"testName":{"value":"a"}}}]}},
      "sort":[{"createdAt":{"order":"asc","missing":9223372036854775807}},
              {"id":{"order":"asc","missing":"_last"}}],
      "pit":{"id":"p\"1","keep_alive":"5m"},"search_after":[1,2]})"));
}

TEST_F(ExportTest, ALineHasEveryFieldUnlessSomeAreNamed) {
  const auto all = plan(R"({"format":"csv"})").columns;
  EXPECT_THAT(all, Contains("owner.email"));
  EXPECT_THAT(all, Contains("bugs"));
  EXPECT_THAT(all, Contains("place"));
  for (const char* other : {"owner", "bugs.id", "bugs.hits", "title.raw", "who"}) {
    EXPECT_THAT(all, Not(Contains(other)));
  }
  EXPECT_THAT(plan(R"({"format":"csv","fields":["owner","id","owner"]})").columns,
              ElementsAre("owner", "id"));
}

TEST_F(ExportTest, EachFaultNamesItsPlace) {
  struct Case {
    std::string_view body;
    std::string_view path;
    std::string_view expected;
  };
  for (const auto& [body, path, expected] : std::vector<Case>{
           {R"({"limit":0})", "limit", "at least 1"},
           {R"({"limit":"5"})", "limit", "at least 1"},
           {R"({"format":"xml"})", "format", "\"ndjson\" or \"csv\""},
           {R"({"format":7})", "format", "\"ndjson\" or \"csv\""},
           {R"({"format":"csv","fields":[7]})", "fields[0]", "the name of a field"},
           {R"({"size":7})", "size", "nothing; only filter"},
           {R"({"filter":7})", "filter", "exactly one of"},
       }) {
    plan(body);
    ASSERT_EQ(faults_.list().size(), 1u) << body << render(faults_);
    EXPECT_EQ(faults_.list()[0].path, path);
    EXPECT_THAT(faults_.list()[0].expected, HasSubstr(expected));
  }
  rules_.tiebreak.clear();
  plan("{}");
  ASSERT_EQ(faults_.list().size(), 1u);
  EXPECT_THAT(faults_.list()[0].expected, HasSubstr("the root's key"));
}

TEST(Ndjson, OneDocumentALine) {
  NdjsonWriter writer;
  std::string out;
  writer.begin(out);
  EXPECT_TRUE(writer.row(R"("a\nb")", "{\"x\": \"l\\n\",\r\n\"y\":1.10}", out));
  EXPECT_TRUE(writer.row(R"("2")", "", out));
  EXPECT_EQ(out, "{\"id\":\"a\\nb\",\"source\":{\"x\": \"l\\n\",  \"y\":1.10}}\n{\"id\":\"2\"}\n");
}

std::string line(std::vector<std::string> columns, std::string_view source) {
  CsvWriter writer(std::move(columns));
  std::string out;
  EXPECT_TRUE(writer.row(R"("k")", source, out)) << source;
  return out;
}

TEST(Csv, CellsAreTheValuesAsTheyWereWritten) {
  struct Case {
    std::vector<std::string> columns;
    std::string_view source;
    std::string_view line;
  };
  for (const auto& [columns, source, expected] : std::vector<Case>{
           {{"a"}, R"({"a":"x"})", "k,x"},
           {{"a"}, R"({"a":1.10})", "k,1.10"},
           {{"a"}, R"({"a": 123456789012345678901234567890 })", "k,123456789012345678901234567890"},
           {{"a"}, R"({"a":true})", "k,true"},
           {{"a"}, R"({"a":null})", "k,"},
           {{"a"}, R"({})", "k,"},
           {{"a"}, "", "k,"},
           {{"a"}, R"({"a":""})", "k,"},
           {{"a"}, R"({"a":"x,y"})", R"(k,"x,y")"},
           {{"a"}, R"({"a":"say \"hi\""})", R"(k,"say ""hi""")"},
           {{"a"}, R"({"a":"two\nlines"})", "k,\"two\nlines\""},
           {{"a"}, R"({"a":"\u00e9"})", "k,é"},
           {{"b", "a"}, R"({"a":1,"b":2,"c":3})", "k,2,1"},
           {{"o.p.q"}, R"({"o":{"p":{"q":7,"r":8}}})", "k,7"},
           {{"o.p"}, R"({"o":7})", "k,"},
           {{"o"}, R"({"o":{"p":1}})", R"(k,"{""p"":1}")"},
           {{"o", "o.p"}, R"({"o":{"p":1}})", R"(k,"{""p"":1}",1)"},
           {{"a"}, R"({"a":["x","y"]})", R"(k,"[""x"",""y""]")"},
           {{"o.p"}, R"({"o":[{"p":"x"},{"p":null},{},{"p":3}]})", R"(k,"[""x"",null,3]")"},
           {{"o", "o.p"}, R"({"o":[{"p":1}]})", R"(k,"[{""p"":1}]",[1])"},
       }) {
    EXPECT_EQ(line(columns, source), std::string(expected) + "\r\n") << source;
  }
}

TEST(Csv, HasAHeaderAndRefusesWhatIsNoDocument) {
  CsvWriter writer({"owner.email", "a,b"});
  std::string out;
  writer.begin(out);
  EXPECT_EQ(out, "_id,owner.email,\"a,b\"\r\n");
  for (const char* source : {"{", "7", "x", R"({"owner":{)"}) {
    EXPECT_FALSE(writer.row(R"("k")", source, out)) << source;
  }
  EXPECT_FALSE(writer.row("k", "{}", out));
}

}  // namespace
}  // namespace searchsync::query
