#include "capture/core/value.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace searchsync::capture {
namespace {

std::string json_of(ValueType type, std::string_view text) {
  std::string out;
  append_json_value(out, type, text);
  return out;
}

TEST(JsonValue, EachKindHasItsForm) {
  using K = ValueKind;
  const struct {
    ValueKind kind;
    const char* text;
    const char* json;
  } cases[] = {
      {K::kText, "plain", R"("plain")"},
      {K::kText, "", R"("")"},
      {K::kText, "a\"b\\c\n\x01", R"("a\"b\\c\n\u0001")"},
      {K::kText, "ü€😀", "\"ü€😀\""},
      {K::kBool, "t", "true"},
      {K::kBool, "f", "false"},
      {K::kNumber, "-42", "-42"},
      {K::kNumber, "9223372036854775807", "9223372036854775807"},
      {K::kNumber, "1e+20", "1e+20"},
      {K::kNumber, "0.1", "0.1"},
      {K::kNumber, "NaN", R"("NaN")"},
      {K::kNumber, "-Infinity", R"("-Infinity")"},
      {K::kBytes, "\\x", R"("")"},
      {K::kBytes, "\\xde", R"("3g==")"},
      {K::kBytes, "\\xdead", R"("3q0=")"},
      {K::kBytes, "\\xdeadbe", R"("3q2+")"},
      {K::kTimestamp, "2024-01-15 10:30:00.5", R"("2024-01-15T10:30:00.5")"},
      {K::kTimestamp, "-infinity", R"("-infinity")"},
      {K::kTimestampTz, "2024-01-15 10:30:00.123456+00", R"("2024-01-15T10:30:00.123456Z")"},
      {K::kTimestampTz, "2024-01-15 10:30:00+00", R"("2024-01-15T10:30:00Z")"},
      {K::kTimestampTz, "infinity", R"("infinity")"},
      {K::kTimestampTz, "0044-03-15 10:00:00+00 BC", R"("0044-03-15T10:00:00Z BC")"},
      {K::kTimeTz, "10:30:00.5+02", R"("10:30:00.5+02:00")"},
      {K::kTimeTz, "10:30:00-03:30", R"("10:30:00-03:30")"},
  };
  for (const auto& c : cases) EXPECT_EQ(json_of({c.kind}, c.text), c.json) << c.text;
}

TEST(JsonValue, ArraysNest) {
  const ValueType numbers{ValueKind::kNumber, ','};
  const ValueType texts{ValueKind::kText, ','};
  EXPECT_EQ(json_of(numbers, "{}"), "[]");
  EXPECT_EQ(json_of(numbers, "{1,NULL,3}"), "[1,null,3]");
  EXPECT_EQ(json_of(numbers, "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
  EXPECT_EQ(json_of(numbers, "[0:1]={5,6}"), "[5,6]");
  EXPECT_EQ(json_of(texts, R"({"a b","NULL",NULL,"q\"\\",""})"),
            R"(["a b","NULL",null,"q\"\\",""])");
  EXPECT_EQ(json_of({ValueKind::kText, ';'}, "{(1,2),(0,0);(3,4),(1,1)}"),
            R"json(["(1,2),(0,0)","(3,4),(1,1)"])json");
  EXPECT_EQ(json_of({ValueKind::kTimestampTz, ','}, R"({"2024-01-15 10:30:00+00"})"),
            R"(["2024-01-15T10:30:00Z"])");
}

TEST(JsonValue, WhateverTheTextTheResultIsOneValue) {
  const char* texts[] = {"",      "x",      "01",     "1.",           "-",    "1e",
                         "+1",    "{",      "}",      "{1",           "{1,}", "{,1}",
                         "{{}",   "{\"a",   "{\"a\\", "{a\"b}",       "\\x1", "\\xzz",
                         "1\"2",  "\xff",   "a\xc3",  "\xed\xa0\x80", "[",    "[1:2]",
                         "a b c", "{1}{2}", "t t+00", "\" \"+00"};
  for (const char* text : texts) {
    for (int kind = 0; kind <= static_cast<int>(ValueKind::kTimeTz); ++kind) {
      for (const char delimiter : {'\0', ','}) {
        const std::string json = json_of({static_cast<ValueKind>(kind), delimiter}, text);
        EXPECT_TRUE(nlohmann::json::accept(json)) << text << " became " << json;
      }
    }
  }
}

}  // namespace
}  // namespace searchsync::capture
