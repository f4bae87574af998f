#include "query/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/cursor.h"
#include "query/export.h"
#include "query/openapi.h"
#include "query/parameters.h"
#include "query/request.h"
#include "query/test_mappings.h"

namespace searchsync::query {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ApiKey, IsReadFromYamlOrJson) {
  const std::string hash = "e0e2ea0cea6a3bd5cd4ee0e4b3ab6b0c8b9b9c1c4c0b2f4b7d4a2d8e1f6a7b8c";
  const auto plain = read_api_key("alice", "key: a key of 16 byte\n");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->name, "alice");
  EXPECT_TRUE(equal(plain->digest, digest_of("a key of 16 byte")));
  EXPECT_FALSE(equal(plain->digest, digest_of("a key of 16 bytf")));
  EXPECT_FALSE(plain->indices);
  const auto hashed = read_api_key("bob", "{\"sha256\": \"" + hash + "\"}");
  ASSERT_TRUE(hashed) << hashed.error().message;
  EXPECT_EQ(hashed->digest[0], 0xe0);
  EXPECT_EQ(hashed->digest[31], 0x8c);
  const auto full = read_api_key("carol", R"(
key: a key of 16 byte
indices:
  - name: runs
    fields: [id, owner]
    filter: {equals: {field: testName, value: a}}
  - {name: orders}
rateLimit: {perSecond: 5}
)");
  ASSERT_TRUE(full) << full.error().message;
  ASSERT_EQ(full->indices->size(), 2u);
  EXPECT_THAT(full->indices->at(0).fields, ElementsAre("id", "owner"));
  EXPECT_EQ(full->rate_limit->per_second, 5);
  EXPECT_EQ(grant_of(*full, "orders"), &full->indices->at(1));
  EXPECT_EQ(grant_of(*full, "users"), nullptr);
  EXPECT_TRUE(grant_of(*plain, "users")->fields.empty());
}

// The known answer of FIPS 180-2.
TEST(ApiKey, TheDigestIsSha256) {
  const Digest digest = digest_of("abc");
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[1], 0x78);
  EXPECT_EQ(digest[31], 0xad);
}

TEST(ApiKey, WhatIsWrongIsToldWithoutTheKey) {
  struct Case {
    std::string_view text;
    std::string_view says;
  };
  for (const auto& [text, says] : std::vector<Case>{
           {"", "expected an object"},
           {"hunter2-hunter2-hunter2", "expected an object"},
           {"[hunter2]", "expected an object"},
           {"key: hunter2", "16 to 1024 bytes"},
           {"key: 1234567890123456", "16 to 1024 bytes"},
           {"key: {hunter2: hunter2}", "16 to 1024 bytes"},
           {"key: \"hunter2", "line"},
           {"sha256: hunter2", "64 hex digits"},
           {"indices: [{name: a}]", "exactly one of key, sha256"},
           {"{key: hunter2hunter2hunter2, sha256: "
            "\"0000000000000000000000000000000000000000000000000000000000000000\"}",
            "exactly one of key, sha256"},
           {"{key: hunter2hunter2hunter2, indices: []}", "indices"},
           {"{key: hunter2hunter2hunter2, indices: [{name: a}, {name: a}]}", "indices[1]"},
           {"{key: hunter2hunter2hunter2, index: a}", "index"},
           {"{key: hunter2hunter2hunter2, rateLimit: {perSecond: 0}}", "rateLimit.perSecond"},
       }) {
    const auto key = read_api_key("mallory", text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(key.error().message, HasSubstr("mallory"));
    EXPECT_THAT(key.error().message, HasSubstr(says)) << text;
    EXPECT_THAT(key.error().message, Not(HasSubstr("hunter2"))) << text;
  }
}

class RestrictedTest : public testing::Test {
 protected:
  static Rules rules_of(const IndexGrant& grant) {
    const auto all = FieldCatalog::create(test_mappings(), {}).value();
    auto restriction = restrict(all, all, grant).value();
    return {.catalog = std::move(restriction.catalog),
            .tiebreak = {"id"},
            .page_size_max = 200,
            .subject = "alice",
            .fixed = restriction.fixed,
            .visible = restriction.visible};
  }

  const Rules rules_ =
      rules_of({.name = "runs",
                .fields = {"testName", "owner.email", "bugs.id", "title", "createdAt"},
                .filter = model::JsonText{R"({"equals":{"field":"owner.team","value":"core"}})"}});
  const json fixed_ = json::parse(R"({"term":{"owner.team":{"value":"core"}}})");
};

TEST_F(RestrictedTest, TheFilterIsInWhateverIsAsked) {
  for (const char* body : {"{}", R"({"filter":{"or":[{"exists":{"field":"testName"}}]}})",
                           R"({"filter":{"not":{"equals":{"field":"testName","value":"x"}}},
            "facets":{"a":{"field":"bugs.id"}}})"}) {
    const auto plan = plan_search(body, rules_);
    ASSERT_TRUE(plan) << render(plan.error());
    const json query = json::parse(plan->body)["query"]["bool"]["filter"];
    EXPECT_EQ(query[0], fixed_) << body;
    EXPECT_EQ(json::parse(plan_count("{}", rules_)->body)["query"]["bool"]["filter"][0], fixed_);
  }
  Faults faults;
  EXPECT_EQ(json::parse(plan_export({}, rules_, faults).query)["bool"]["filter"][0], fixed_);
  const auto document = json::parse(document_query("7", rules_));
  EXPECT_EQ(document["query"]["bool"]["filter"],
            json::array({{{"ids", {{"values", {"7"}}}}}, fixed_}));
  EXPECT_EQ(document["_source"].size(), 5u);
}

TEST_F(RestrictedTest, DocumentsShowWhatMayBeSeen) {
  EXPECT_EQ(json::parse(plan_search("{}", rules_)->body)["_source"],
            json({"testName", "owner.email", "bugs.id", "title", "createdAt"}));
  EXPECT_EQ(json::parse(plan_search(R"({"fields":["owner.email"]})", rules_)->body)["_source"],
            json({"owner.email"}));
  EXPECT_EQ(json::parse(plan_search(R"({"fields":[]})", rules_)->body)["_source"], false);
  Faults faults;
  Ask ask;
  ask.set("format", {std::string("csv"), {}});
  const auto plan = plan_export(ask, rules_, faults);
  EXPECT_THAT(plan.columns,
              ElementsAre("bugs.id", "createdAt", "owner.email", "testName", "title"));
}

// Word for word: nothing tells a field that is hidden from one that is not there.
TEST_F(RestrictedTest, WhatIsHiddenIsAsIfItWereNotThere) {
  const auto less = FieldCatalog::create(
      {R"({"properties":{"testName":{"type":"keyword"},"createdAt":{"type":"date"},
           "title":{"type":"text","fields":{"raw":{"type":"keyword","ignore_above":256}}},
           "owner":{"properties":{"email":{"type":"keyword"}}},
           "bugs":{"type":"nested","properties":{"id":{"type":"keyword"}}}}})"},
      {});
  Rules others = rules_;
  others.catalog = less.value().restricted(rules_.visible).value();
  for (const std::string_view body :
       {R"({"filter":{"equals":{"field":"id","value":1}}})",
        R"({"filter":{"equals":{"field":"id","value":{"a":1}}}})",
        R"({"filter":{"exists":{"field":"owner"}}})",
        R"({"filter":{"not":{"exists":{"field":"owner.team"}}}})",
        R"({"filter":{"exists":{"field":"bugs"}}})",
        R"({"filter":{"nested":{"path":"bugs","filter":
            {"equals":{"field":"bugs.status","value":"x"}}}}})",
        R"({"filter":{"nested":{"path":"bugs.hits","filter":
            {"exists":{"field":"bugs.hits.count"}}}}})",
        R"({"filter":{"equals":{"field":"who","value":"x"}}})",
        R"({"filter":{"text":{"field":"severity","query":"x"}}})",
        R"({"filter":{"range":{"field":"severit","gt":1}}})", R"({"sort":[{"field":"severity"}]})",
        R"({"sort":[{"field":"place"}]})", R"({"facets":{"a":{"field":"owner.team"}}})",
        R"({"facets":{"a":{"field":"blob"}}})", R"({"fields":["owner"]})",
        R"({"fields":["testName","id"]})"}) {
    const auto plan = plan_search(body, rules_);
    ASSERT_FALSE(plan) << body;
    EXPECT_EQ(render(plan.error()), render(plan_search(body, others).error())) << body;
  }
  EXPECT_TRUE(plan_search(R"({"filter":{"nested":{"path":"bugs","filter":
      {"equals":{"field":"bugs.id","value":"x"}}}},"sort":[{"field":"title.raw"}]})",
                          rules_));
  Faults faults;
  Ask ask;
  read_parameters({{"severity", "1"}}, rules_.catalog, {}, faults);
  make_timeline("exact", rules_.catalog, ask, faults);
  ASSERT_EQ(faults.list().size(), 2u);
  EXPECT_THAT(faults.list()[0].expected, HasSubstr("no field `severity` is there for this key"));
  EXPECT_THAT(faults.list()[1].expected, HasSubstr("no field `exact` is there for this key"));
}

TEST_F(RestrictedTest, ACursorIsForItsKeyOnly) {
  const std::string_view body = R"({"sort":[{"field":"createdAt"}]})";
  const std::string cursor = encode_cursor("[1,2]", plan_search(body, rules_)->fingerprint);
  const std::string next =
      std::string(body.substr(0, body.size() - 1)) + R"(,"cursor":")" + cursor + "\"}";
  EXPECT_TRUE(plan_search(next, rules_));
  Rules other = rules_;
  other.subject = "bob";
  EXPECT_FALSE(plan_search(next, other));
  other = rules_;
  other.fixed = R"({"term":{"owner.team":{"value":"web"}}})";
  EXPECT_FALSE(plan_search(next, other));
}

TEST_F(RestrictedTest, TheDescriptionsHideIt) {
  const auto api =
      openapi_document({.index = "runs", .mappings = test_mappings(), .rules = rules_});
  const json schemas = json::parse(api)["components"]["schemas"];
  EXPECT_THAT(schemas["Fields.shown"]["enum"],
              ElementsAre("bugs.id", "createdAt", "owner.email", "testName", "title"));
  EXPECT_THAT(schemas["Fields.equals"]["enum"], Not(Contains("id")));
  EXPECT_FALSE(schemas["Document"]["properties"].contains("id"));
  EXPECT_FALSE(schemas["Document.owner"]["properties"].contains("team"));
  EXPECT_THAT(render_fields("runs", rules_.catalog), Not(HasSubstr("severity")));
  EXPECT_THAT(plan_search(R"({"fields":["severitx"]})", rules_).error().list()[0].expected,
              Not(HasSubstr("severity")));
}

TEST_F(RestrictedTest, AGrantThatDoesNotFitIsRefused) {
  const auto all = FieldCatalog::create(test_mappings(), {}).value();
  EXPECT_THAT(restrict(all, all, {.name = "runs", .fields = {"nope"}}).error().message,
              HasSubstr("no field `nope`"));
  EXPECT_THAT(restrict(all, all,
                       {.name = "runs",
                        .filter = model::JsonText{R"({"equals":{"field":"id","value":"x"}})"}})
                  .error()
                  .message,
              HasSubstr("filter.equals.value"));
  // A field that queries may not use can still be what the fixed filter is about.
  const auto few = FieldCatalog::create(test_mappings(), {"testName"}).value();
  EXPECT_TRUE(restrict(
      few, all,
      {.name = "runs", .filter = model::JsonText{R"({"equals":{"field":"id","value":7}})"}}));
}

}  // namespace
}  // namespace searchsync::query
