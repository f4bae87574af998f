#include "query/partitions.h"

#include <gtest/gtest.h>

#include "lib/model/json.h"

namespace searchsync::query {
namespace {

using std::chrono::hours;

constexpr int64_t kNowMs = 1'795'963'500'000;  // 2026-11-29T14:45:00Z

Ask asking(const std::vector<std::string>& filters) {
  Ask ask;
  for (const auto& one : filters) ask.filters.push_back({"filter", model::parse_json(one).value()});
  return ask;
}

std::string since(const std::string& time) {
  return R"({"range":{"field":"at","gte":")" + time + R"("}})";
}

Target target(const std::vector<std::string>& filters, model::PartitioningSpec spec,
              const std::string& alias = "events", const std::string& of = "") {
  spec.field = "at";
  spec.retain = hours(24 * 730);
  const auto catalog =
      FieldCatalog::create({R"({"properties":{"at":{"type":"date"},"user":{"type":"keyword"},
          "name":{"type":"keyword","normalizer":"lowercase"},"count":{"type":"long"}}})"},
                           {})
          .value();
  return Partitions(alias, std::move(spec), 2, catalog)
      .target(asking(filters), kNowMs, of.empty() ? alias : of);
}

std::string names(const std::vector<std::string>& filters, model::Every every = model::Every::kDay,
                  const std::string& alias = "events", const std::string& of = "") {
  return target(filters, {.every = every}, alias, of).names;
}

TEST(Partitions, OnlyThoseThatAFilterNeeds) {
  EXPECT_EQ(names({since("now-3h")}), "events@none,events@2026-11-29,events@2026-11-30")
      << "a day ahead may be written to";
  EXPECT_EQ(names({R"({"range":{"field":"at","gte":"now-36h","lte":"now"}})"}),
            "events@none,events@2026-11-28,events@2026-11-29");
  EXPECT_EQ(names({R"({"equals":{"field":"at","value":"2026-11-02"}})"}),
            "events@none,events@2026-11-02");
  EXPECT_EQ(names({R"({"range":{"field":"at","gte":"now-1h","lte":"now"}})"}, model::Every::kHour),
            "events@none,events@2026-11-29t13,events@2026-11-29t14");
  EXPECT_EQ(names({R"({"range":{"field":"at","gte":"2026-01-31","lt":"2026-02-01"}})"},
                  model::Every::kMonth),
            "events@none,events@2026-01,events@2026-02");
}

TEST(Partitions, ADocumentFitsAllClauses) {
  EXPECT_EQ(names({since("2026-11-20"), R"({"range":{"field":"at","lt":"2026-11-21"}})"}),
            "events@none,events@2026-11-20,events@2026-11-21");
}

TEST(Partitions, OfATimeThatNoDocumentHasOnlyTheEmptyIndexIsAsked) {
  EXPECT_EQ(names({R"({"range":{"field":"at","lt":"2020-01-01"}})"}), "events@none");
  EXPECT_EQ(names({since("2030-01-01")}), "events@none");
}

TEST(Partitions, AllWhereItCannotBeToldOrThereWouldBeTooMany) {
  EXPECT_EQ(names({}), "events");
  EXPECT_EQ(names({R"({"equals":{"field":"store","value":"s1"}})"}), "events");
  EXPECT_EQ(names({R"({"not":{"range":{"field":"at","gte":"now-3h"}}})"}), "events");
  EXPECT_EQ(names({since("now-200d")}), "events");
  const std::string alias(200, 'e');
  EXPECT_EQ(names({since("now-30d")}, model::Every::kDay, alias), alias);
}

TEST(Partitions, OfOneGeneration) {
  const auto of = [](const std::vector<std::string>& filters) {
    return names(filters, model::Every::kDay, "events", "events-1a2b3c4d");
  };
  EXPECT_EQ(of({R"({"equals":{"field":"at","value":"2026-11-02"}})"}),
            "events-1a2b3c4d,events-1a2b3c4d-2026-11-02");
  EXPECT_EQ(of({}), "events-1a2b3c4d*");
}

TEST(Partitions, OneRouteIsOneShard) {
  const auto routed = [](const std::string& field, const std::vector<std::string>& filters) {
    return target(filters, {.routing = field});
  };
  const std::string ada = R"({"equals":{"field":"user","value":"ada/1"}})";
  const Target one = routed("user", {since("now-3h"), R"({"and":[)" + ada + "]}"});
  EXPECT_EQ(one.parameters, "&ignore_unavailable=true&routing=ada%2F1");
  EXPECT_EQ(one.partitions(4), 3) << "one shard of each";
  const std::string all = "&ignore_unavailable=true";
  const std::vector<std::string> vague{
      R"({"or":[)" + ada + "]}",
      R"({"not":)" + ada + "}",
      R"({"in":{"field":"user","values":["ada"]}})",
      R"({"equals":{"field":"user","value":"a,b"}})",
      R"({"equals":{"field":"user","value":""}})",
      R"({"equals":{"field":"user","value":7}})",
      R"({"equals":{"field":"at","value":"2026-11-02"}})",
  };
  for (const auto& filter : vague) EXPECT_EQ(routed("user", {filter}).parameters, all) << filter;
  EXPECT_EQ(routed("name", {R"({"equals":{"field":"name","value":"Ada"}})"}).parameters, all)
      << "ADA is found as well, in another shard";
  EXPECT_EQ(routed("count", {R"({"equals":{"field":"count","value":"7"}})"}).parameters, all)
      << "7.0 is found as well";
}

TEST(Partitions, AreCountedByTheirShards) {
  EXPECT_EQ(target({}, {}).partitions(2), 0);
  EXPECT_EQ(target({}, {}).partitions(8), 3);
}

}  // namespace
}  // namespace searchsync::query
