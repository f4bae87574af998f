#include "worker/core/tuple.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/message.h"

namespace searchsync::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

model::BindingPlan plan_of(std::vector<model::SlotSource> slots) {
  model::BindingPlan plan;
  plan.name = "bugs";
  plan.slots = std::move(slots);
  return plan;
}

std::vector<std::string> slots_of(const std::string& tuple, size_t count) {
  TupleView view;
  view.parse(tuple);
  std::vector<std::string> slots;
  for (model::Slot slot = 0; slot < count; ++slot) slots.emplace_back(view.slot(slot));
  return slots;
}

TEST(Projector, KeepsTheColumnsOfItsSlots) {
  Projector projector(plan_of({{"b"}, {"a"}, {"c"}}));
  const struct {
    std::string_view row;
    std::vector<std::string> slots;
  } cases[] = {
      {R"({"a":1,"b":"x","c":true})", {R"("x")", "1", "true"}},
      {R"({"c":null,"b":-1.50e3,"a":"","d":[1,{"a":9}]})", {"-1.50e3", R"("")", "null"}},
      {R"({"a":"two words","z":{}})", {"", R"("two words")", ""}},
      {R"({"a":{"x":[1, 2],"y":{"z":"}"}},"b":[],"c":[{"d":"]"}]})",
       {"[]", R"({"x":[1, 2],"y":{"z":"}"}})", R"([{"d":"]"}])"}},
      {R"({"\u0061":"\u00e9\n\"\ud83d\ude00","b":"é😀"})",
       {R"("é😀")", R"("\u00e9\n\"\ud83d\ude00")", ""}},
      {R"({ "a" : 1 , "b" : [ 1 ] })", {"[ 1 ]", "1", ""}},
      {R"({"a":1,"a":2})", {"", "2", ""}},
      {R"({})", {"", "", ""}},
  };
  std::string tuple;
  for (const auto& [row, slots] : cases) {
    ASSERT_TRUE(projector.project(row, tuple).has_value()) << row;
    EXPECT_EQ(slots_of(tuple, 3), slots) << row;
  }
}

TEST(Projector, OneColumnMayFillSeveralSlots) {
  Projector projector(
      plan_of({{"a"}, {"a", model::FieldType::kString}, {"a", model::FieldType::kJson}}));
  std::string tuple;
  ASSERT_TRUE(projector.project(R"({"a":7})", tuple).has_value());
  EXPECT_THAT(slots_of(tuple, 3), ElementsAre("7", R"("7")", "7"));
}

TEST(Projector, LongValuesAreKeptWhole) {
  Projector projector(plan_of({{"a"}, {"b"}}));
  std::string tuple;
  for (const size_t size : {126, 127, 128, 16'383, 16'384, 3'000'000}) {
    const std::string text = '"' + std::string(size, 'x') + '"';
    ASSERT_TRUE(projector.project(R"({"a":)" + text + R"(,"b":1})", tuple).has_value());
    EXPECT_EQ(slots_of(tuple, 2), (std::vector<std::string>{text, "1"}));
  }
}

TEST(Projector, WhatIsNoObjectIsRefused) {
  Projector projector(plan_of({{"a"}}));
  std::string tuple;
  for (const std::string_view row :
       {"", "null", "[]", "1", R"({"a":1)", R"({"a":"x)", R"({"a" 1})", R"({"a":1}})",
        R"({"a":1}{})", "{\"a\":\"\xff\"}", R"({"a":)"}) {
    const auto projected = projector.project(row, tuple);
    ASSERT_FALSE(projected.has_value()) << row;
    EXPECT_EQ(projected.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(projected.error().message, HasSubstr("bugs"));
    EXPECT_EQ(slots_of(tuple, 1), std::vector<std::string>{""});
  }
}

TEST(Projector, ARefusedValueLeavesTheOthers) {
  Projector projector(plan_of({{"n", model::FieldType::kNumber}, {"parent"}}));
  std::string tuple;
  const auto projected = projector.project(R"({"n":"many","parent":5})", tuple);
  ASSERT_FALSE(projected.has_value());
  EXPECT_THAT(projected.error().message, HasSubstr("column n"));
  EXPECT_THAT(slots_of(tuple, 2), ElementsAre("", "5"));
}

TEST(KeyText, IsTheContentOfItsColumns) {
  Projector projector(plan_of({{"a"}, {"b"}}));
  const struct {
    std::string_view row;
    std::vector<model::Slot> slots;
    std::optional<std::string> key;
  } cases[] = {
      {R"({"a":42})", {0}, "42"},
      {R"({"a":"42"})", {0}, "42"},
      {R"({"a":true})", {0}, "true"},
      {R"({"a":"é\u00e9\"\\\/\b\f\n\r\t\ud83d\ude00"})", {0}, "éé\"\\/\b\f\n\r\t😀"},
      {R"({"a":1,"b":"x"})",
       {0, 1},
       "1\x1f"
       "x"},
      {R"({"a":1,"b":"x"})",
       {1, 0},
       "x\x1f"
       "1"},
      {R"({"a":"","b":"x"})",
       {0, 1},
       "\x1f"
       "x"},
      {R"({"a":"x","b":""})", {0, 1}, "x\x1f"},
      {R"({"a":""})", {0}, ""},
      {R"({"a":"\u001f\u001e"})", {0}, "\x1f\x1e"},
      {R"({"a":"x\u001fy","b":"\u001e"})", {0, 1}, "x\x1e\x1fy\x1f\x1e\x1e"},
      {R"({"a":null})", {0}, std::nullopt},
      {R"({"b":1})", {0}, std::nullopt},
      {R"({"a":1,"b":null})", {0, 1}, std::nullopt},
      {R"({"a":[1]})", {0}, std::nullopt},
      {R"({"a":{"b":1}})", {0}, std::nullopt},
  };
  for (const auto& [row, slots, key] : cases) {
    std::string tuple, text;
    ASSERT_TRUE(projector.project(row, tuple).has_value()) << row;
    TupleView view;
    view.parse(tuple);
    const bool found = key_text(view, slots, text);
    EXPECT_EQ(found, key.has_value()) << row;
    if (found && key) {
      EXPECT_EQ(text, *key) << row;
    }
  }
}

TEST(KeyText, LongerThanAnyKeyRefersToNothing) {
  Projector projector(plan_of({{"a"}}));
  std::string tuple, text;
  for (const size_t size : {kKeyBytesMax, kKeyBytesMax + 1, size_t{70'000}}) {
    ASSERT_TRUE(
        projector.project(R"({"a":")" + std::string(size, 'x') + R"("})", tuple).has_value());
    TupleView view;
    view.parse(tuple);
    EXPECT_EQ(key_text(view, {0}, text), size <= kKeyBytesMax);
  }
}

TEST(TupleView, TornTuplesHaveNoMoreThanTheirBytes) {
  Projector projector(plan_of({{"a"}, {"b"}}));
  std::string tuple;
  ASSERT_TRUE(projector.project(R"({"a":"some text","b":12})", tuple).has_value());
  TupleView view;
  for (size_t size = 0; size <= tuple.size(); ++size) {
    view.parse(std::string_view(tuple).substr(0, size));
    EXPECT_LE(view.slot(0).size() + view.slot(1).size(), size);
    EXPECT_EQ(view.slot(2), "");
  }
}

}  // namespace
}  // namespace searchsync::worker
