#include "query/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "query/test_mappings.h"
#include "query/tiebreak.h"

namespace searchsync::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(FieldCatalog, KnowsEveryDeclaredField) {
  const auto catalog = FieldCatalog::create(test_mappings(), {});
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->find("testName")->kind, FieldKind::kKeyword);
  EXPECT_EQ(catalog->find("title")->kind, FieldKind::kText);
  EXPECT_EQ(catalog->find("title.raw")->kind, FieldKind::kKeyword);
  EXPECT_TRUE(catalog->find("title.raw")->multi_field);
  EXPECT_FALSE(catalog->find("title.raw")->exact);
  EXPECT_EQ(catalog->find("owner")->kind, FieldKind::kObject);
  EXPECT_EQ(catalog->find("owner.email")->nested, "");
  EXPECT_EQ(catalog->find("who")->kind, FieldKind::kKeyword);
  EXPECT_EQ(catalog->find("bugs")->kind, FieldKind::kNested);
  EXPECT_EQ(catalog->find("bugs.id")->nested, "bugs");
  EXPECT_EQ(catalog->find("bugs.hits.count")->nested, "bugs.hits");
  EXPECT_FALSE(catalog->find("note")->searchable);
  EXPECT_EQ(catalog->find("place")->kind, FieldKind::kOther);
  EXPECT_EQ(catalog->find("owner.phone"), nullptr);
  EXPECT_THAT(catalog->unknown("testname"), HasSubstr("did you mean `testName`?"));
}

TEST(FieldCatalog, RestrictsToWhatIsFilterable) {
  const auto catalog = FieldCatalog::create(test_mappings(), {"testName", "bugs"});
  ASSERT_TRUE(catalog);
  EXPECT_TRUE(catalog->find("testName")->filterable);
  EXPECT_TRUE(catalog->find("bugs.hits.count")->filterable);
  EXPECT_FALSE(catalog->find("id")->filterable);
  EXPECT_FALSE(catalog->find("owner.email")->filterable);
}

TEST(FieldCatalog, RefusesWhatCannotBe) {
  EXPECT_FALSE(FieldCatalog::create({"[]"}, {}));
  EXPECT_FALSE(FieldCatalog::create({R"({"properties":{"a":7}})"}, {}));
  EXPECT_FALSE(FieldCatalog::create({R"({"properties":[]})"}, {}));
  EXPECT_FALSE(FieldCatalog::create({R"({"properties":{"a":{"type":"alias","path":"b"}}})"}, {}));
  const auto unknown = FieldCatalog::create(test_mappings(), {"nope"});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("spec.query.filterable: no field `nope`"));
  std::string deep = R"({"type":"keyword"})";
  for (int i = 0; i < 40; ++i) deep = R"({"properties":{"a":)" + deep + "}}";
  EXPECT_FALSE(FieldCatalog::create({deep}, {}));
}

TEST(FieldCatalog, TellsWhatCanBeAsked) {
  const auto catalog = FieldCatalog::create(test_mappings(), {"testName", "title", "bugs"}).value();
  const auto fields = nlohmann::json::parse(render_fields("runs", catalog));
  EXPECT_EQ(fields["index"], "runs");
  for (const auto& field : fields["fields"]) {
    if (field["name"] == "testName") {
      EXPECT_EQ(field["operators"], nlohmann::json({"equals", "in", "exists", "range", "prefix"}));
      EXPECT_EQ(field["sortable"], true);
    } else if (field["name"] == "title") {
      EXPECT_EQ(field["operators"], nlohmann::json({"exists", "text"}));
      EXPECT_EQ(field["sortable"], false);
    } else if (field["name"] == "bugs.id") {
      EXPECT_EQ(field["nested"], "bugs");
    } else if (field["name"] == "id") {
      EXPECT_EQ(field["operators"], nlohmann::json::array());
    }
  }
}

model::SourceBinding binding(model::Relation relation, std::vector<std::string> key,
                             std::vector<model::FieldMapping> fields) {
  model::SourceBinding made;
  made.spec.key = std::move(key);
  made.spec.relation = std::move(relation);
  made.spec.fields = std::move(fields);
  return made;
}

TEST(Tiebreak, IsTheRootsKeyAsFarAsItCanBeSortedExactly) {
  const auto catalog = FieldCatalog::create(test_mappings(), {"testName"}).value();
  const auto of = [&](std::vector<std::string> key, std::vector<model::FieldMapping> fields) {
    const std::vector<model::SourceBinding> bindings{
        binding(model::LookupRelation{}, {"x"}, {{"x", "testName"}}),
        binding(model::RootRelation{}, std::move(key), std::move(fields))};
    return tiebreak_fields(bindings, catalog);
  };
  EXPECT_THAT(of({"id"}, {{"id", "id"}}), ElementsAre("id"));
  EXPECT_THAT(of({"a", "b"}, {{"b", "id"}, {"a", "testName"}}), ElementsAre("testName", "id"));
  EXPECT_THAT(of({"a"}, {{"a", "title"}, {"a", "id"}}), ElementsAre("id"));
  EXPECT_THAT(of({"a", "b"}, {{"b", "id"}}), ElementsAre());
  EXPECT_THAT(of({"a"}, {{"a", "title"}}), ElementsAre());
  EXPECT_THAT(of({"a"}, {{"a", "blob"}}), ElementsAre());
  EXPECT_THAT(of({"a"}, {{"a", "createdAt"}}), ElementsAre());
  EXPECT_THAT(tiebreak_fields({}, catalog), ElementsAre());
}

}  // namespace
}  // namespace searchsync::query
