#include <algorithm>

#include "query/run/service_contract.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(ServiceContract, ListsByParameters) {
  const auto list = [&](std::string_view parameters) {
    const auto response = get(fmt::format("documents?{}", parameters));
    EXPECT_EQ(response.status, 200) << parameters << response.body;
    std::vector<std::string> ids;
    const json answer = json::parse(response.body);
    for (const auto& hit : answer["hits"]) ids.push_back(hit["id"]);
    return ids;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(list("id=7"), Ids({"7"}));
  EXPECT_EQ(list("id=7&id=9&sort=-id"), Ids({"9", "7"}));
  EXPECT_EQ(list("id.gte=5&id.lt=8"), Ids({"5", "6", "7"}));
  EXPECT_EQ(list("testName.prefix=auth&severity=1"), Ids({"9", "21"}));
  EXPECT_EQ(list("title.text=late+invoice&id.lt=4"), Ids({"1", "3"}));
  EXPECT_EQ(list("createdAt.exists=false&id.lte=3"), Ids({"0", "3"}));
  EXPECT_EQ(list("bugs.status=CLOSED&id.lte=12"), Ids({"10", "11", "12"}));
  EXPECT_EQ(list("host=10.0.7.0%2F24"), Ids({"7"}));
  EXPECT_EQ(json::parse(get("count?passed=true").body)["count"], 6);
  EXPECT_EQ(get("documents?nope=1").status, 400);
  EXPECT_EQ(get("count?size=1").status, 400);
}

TEST_F(ServiceContract, TimelinesAreNewestFirstPageByPage) {
  std::vector<std::pair<std::string, int64_t>> seen;
  std::string cursor;
  do {
    const auto response = get(
        fmt::format("timelines/createdAt?size=6{}{}", cursor.empty() ? "" : "&cursor=", cursor));
    ASSERT_EQ(response.status, 200) << response.body;
    const json page = json::parse(response.body);
    for (const auto& hit : page["hits"]) {
      seen.emplace_back(hit["source"]["createdAt"], hit["source"]["id"]);
    }
    cursor = page.value("cursor", "");
  } while (!cursor.empty());
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(seen, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  }));
  EXPECT_EQ(get("timelines/title").status, 400);
}

TEST_F(ServiceContract, ExportsEveryDocumentOnce) {
  const auto all = get("export?fields=id");
  ASSERT_EQ(all.status, 200) << all.body;
  std::string expected;
  for (int i = 0; i < kDocuments; ++i) {
    expected += fmt::format("{{\"id\":\"{0}\",\"source\":{{\"id\":{0}}}}}\n", i);
  }
  EXPECT_EQ(all.body, expected);
  EXPECT_EQ(get("export?format=csv&fields=id,owner.team&id.lt=2").body,
            "_id,id,owner.team\r\n0,0,core\r\n1,1,\r\n");
  const auto some = post("export", R"({"filter":{"exists":{"field":"createdAt"}},"limit":3,
                                       "sort":[{"field":"createdAt","order":"desc"}],
                                       "fields":["id"],"format":"csv"})");
  EXPECT_EQ(some.body, "_id,id\r\n13,13\r\n20,20\r\n5,5\r\n");
  // As many points in time as were opened are closed: the engine has a bound on them.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("export?limit=1&fields=id").status, 200);
  const auto refused = post("export", R"({"filter":{"equals":{"field":"built","value":"?"}}})");
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("engine_refused"));
}

TEST_F(ServiceContract, RelatesDocumentsByTheirFields) {
  const auto related = [](std::string_view filter) {
    return fmt::format(R"({{"related":{{"relation":"self","filter":{}}}}})", filter);
  };
  // Severities are 0 to 3: of the ten ids of auth_login 0 and 3 are among them.
  const auto filter = related(R"({"equals":{"field":"testName","value":"auth_login"}})");
  EXPECT_EQ(count(filter), 15);
  EXPECT_EQ(count(fmt::format(R"({{"not":{}}})", filter)), 15);
  EXPECT_EQ(count(related(R"({"equals":{"field":"id","value":99}})")), 0);
  EXPECT_EQ(count(related(R"({"nested":{"path":"bugs","filter":{"and":[
      {"equals":{"field":"bugs.id","value":"B1"}},
      {"equals":{"field":"bugs.status","value":"OPEN"}}]}}})")),
            30);
  const auto lines = post("export", fmt::format(R"({{"filter":{},"fields":[]}})", filter));
  EXPECT_EQ(std::ranges::count(lines.body, '\n'), 15);
  for (const char* verb : {"count", "search", "export"}) {
    const auto refused = post(verb, R"({"filter":{"related":{"relation":"self"}}})");
    EXPECT_EQ(refused.status, 422) << verb;
    EXPECT_THAT(refused.body, HasSubstr("about 30 different values of `id`"));
    EXPECT_THAT(refused.body, HasSubstr("at most 10"));
  }
}

}  // namespace
}  // namespace searchsync::query
