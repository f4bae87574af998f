#include "lib/elastic/mixable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::elastic {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBefore = R"({"dynamic": "strict", "properties": {
  "at": {"type": "date"},
  "name": {"type": "keyword", "fields": {"text": {"type": "text"}}},
  "shop": {"properties": {"id": {"type": "keyword"}}},
  "labels": {"type": "object", "dynamic": true, "properties": {"a": {"type": "keyword"}}},
  "steps": {"type": "nested", "properties": {"id": {"type": "long"}}}}})";

// The mappings before, with another member at a place.
std::string with(const char* pointer, const char* value) {
  auto mappings = nlohmann::json::parse(kBefore);
  mappings[nlohmann::json::json_pointer(pointer)] = nlohmann::json::parse(value);
  return mappings.dump();
}

TEST(Mixable, FieldsMayComeAndGo) {
  EXPECT_EQ(mappings_conflict(kBefore, kBefore), "");
  EXPECT_EQ(mappings_conflict(kBefore, with("/properties/user", R"({"type":"keyword"})")), "");
  EXPECT_EQ(mappings_conflict(kBefore, with("/properties/shop.name", R"({"type":"text"})")), "");
  EXPECT_EQ(mappings_conflict(
                kBefore, with("/properties/shop/properties/owner.id", R"({"type":"keyword"})")),
            "");
  EXPECT_EQ(
      mappings_conflict(kBefore, with("/properties/steps/properties/at", R"({"type":"date"})")),
      "");
  EXPECT_EQ(mappings_conflict(with("/properties/user", R"({"type":"keyword"})"), kBefore), "");
  EXPECT_EQ(mappings_conflict(kBefore, R"({"dynamic":"strict","properties":{}})"), "");
}

TEST(Mixable, WhatIsThereStaysAsItIs) {
  struct Case {
    const char* pointer;
    const char* value;
    const char* why;
  };
  const Case kCases[] = {
      {"/properties/name/type", R"("text")", "field name is declared otherwise"},
      {"/properties/name/ignore_above", "7", "field name is declared otherwise"},
      {"/properties/name/fields/exact", R"({"type":"keyword"})",
       "field name is declared otherwise"},
      {"/properties/shop/properties/id/type", R"("long")", "field shop.id is declared otherwise"},
      {"/properties/steps/type", R"("object")", "field steps is declared otherwise"},
      {"/properties/shop/dynamic", "true", "field shop is declared otherwise"},
      {"/properties/shop", R"({"type":"keyword"})", "field shop is declared otherwise"},
      {"/dynamic", "false", "the mappings differ in more than their fields"},
      {"/_source", R"({"excludes":["name"]})", "the mappings differ in more than their fields"},
  };
  for (const auto& [pointer, value, why] : kCases) {
    EXPECT_EQ(mappings_conflict(kBefore, with(pointer, value)), why) << pointer;
  }
}

TEST(Mixable, NoFieldIsNewWhereDocumentsMayHaveBroughtIt) {
  EXPECT_THAT(
      mappings_conflict(kBefore, with("/properties/labels/properties/b", R"({"type":"keyword"})")),
      HasSubstr("field labels.b is new where documents may have brought it"));
  EXPECT_THAT(mappings_conflict(kBefore, with("/properties/more", R"({"type":"nested"})")),
              HasSubstr("field more is nested"));
  for (const char* dynamic : {"false", "true", R"("runtime")"}) {
    const auto open = with("/dynamic", dynamic);
    auto more = nlohmann::json::parse(open);
    more["properties"]["user"] = {{"type", "keyword"}};
    EXPECT_THAT(mappings_conflict(open, more.dump()), HasSubstr("field user is new")) << dynamic;
  }
  EXPECT_THAT(mappings_conflict(R"({"properties":{}})",
                                R"({"properties":{"a":{"properties":{"b":{"type":"date"}}}}})"),
              HasSubstr("field a is new"))
      << "documents bring fields where nothing is said";
}

TEST(Mixable, SettingsOfStorageMayDiffer) {
  EXPECT_EQ(settings_conflict("", ""), "");
  EXPECT_EQ(settings_conflict(R"({"index":{"codec":"default"}})",
                              R"({"index.codec":"best_compression"})"),
            "");
  EXPECT_EQ(settings_conflict("", R"({"sort.field":"at","sort":{"order":"desc"}})"), "");
  EXPECT_EQ(
      settings_conflict(R"({"max_result_window":"5"})", R"({"index":{"max_result_window":"5"}})"),
      "");
  EXPECT_EQ(settings_conflict("", R"({"analysis":{"filter":{"f":{"type":"stop"}}}})"),
            "setting index.analysis.filter.f.type is another");
  EXPECT_EQ(settings_conflict(R"({"index.max_result_window":5})", ""),
            "setting index.max_result_window is another");
  EXPECT_EQ(settings_conflict(R"({"mapping.total_fields.limit":5})",
                              R"({"mapping.total_fields.limit":6})"),
            "setting index.mapping.total_fields.limit is another");
}

TEST(Mixable, SaysWhichFieldsAnIndexDoesNotHave) {
  const char* found = R"({"dynamic":"strict","_meta":{"x":1},"properties":{
    "at":{"type":"date"},"gone":{"type":"long"},"name":{"type":"keyword","ignore_above":7},
    "shop":{"properties":{"id":{"type":"keyword"}}}}})";
  const char* declared = R"({"dynamic":"strict","properties":{
    "at":{"type":"date"},"name":{"type":"keyword"},"shop.id":{"type":"keyword"},
    "shop.name":{"type":"text"},"user":{"properties":{"id":{"type":"long"}}}}})";
  const auto fields = new_fields(found, declared);
  EXPECT_THAT(fields.missing, ElementsAre("shop.name", "user", "user.id"));
  EXPECT_EQ(fields.conflict, "");
  EXPECT_THAT(new_fields(found, found).missing, IsEmpty());
  EXPECT_EQ(new_fields(found, R"({"properties":{"gone":{"type":"keyword"}}})").conflict,
            "field gone is there as long, not as keyword");
  EXPECT_EQ(new_fields(kBefore, with("/properties/name/ignore_above", "7")).conflict, "");
  EXPECT_EQ(
      new_fields(kBefore, with("/properties/name/fields/exact", R"({"type":"keyword"})")).conflict,
      "field name is there without its multi-fields");
}

TEST(Mixable, AddsFieldsAndNothingElse) {
  EXPECT_EQ(added_fields(R"({"dynamic":"strict","_meta":{"a":1},"properties":{"b":{}}})"),
            R"({"properties":{"b":{}}})");
  EXPECT_EQ(added_fields("{}"), R"({"properties":{}})");
}

}  // namespace
}  // namespace searchsync::elastic
