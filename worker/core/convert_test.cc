#include "worker/core/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace searchsync::worker {
namespace {

using model::FieldType;

struct Case {
  FieldType type;
  std::string_view from;
  std::optional<std::string_view> to;  // nothing: refused
};

constexpr Case kCases[] = {
    {FieldType::kAuto, "12", "12"},
    {FieldType::kAuto, R"("x")", R"("x")"},
    {FieldType::kAuto, R"({"a":[1]})", R"({"a":[1]})"},
    {FieldType::kAuto, "null", "null"},

    {FieldType::kString, R"("x\n")", R"("x\n")"},
    {FieldType::kString, "12.50", R"("12.50")"},
    {FieldType::kString, "true", R"("true")"},
    {FieldType::kString, R"({"a":"b"})", R"("{\"a\":\"b\"}")"},
    {FieldType::kString, R"([1,2])", R"("[1,2]")"},
    {FieldType::kString, R"("\u0001")", R"("\u0001")"},
    {FieldType::kString, "null", "null"},

    {FieldType::kNumber, "12", "12"},
    {FieldType::kNumber, R"("-12.500")", "-12.500"},
    {FieldType::kNumber, R"("1e-9")", "1e-9"},
    {FieldType::kNumber, R"("123456789012345678901234567890.12")",
     "123456789012345678901234567890.12"},
    {FieldType::kNumber, "null", "null"},
    {FieldType::kNumber, R"("NaN")", std::nullopt},
    {FieldType::kNumber, R"("Infinity")", std::nullopt},
    {FieldType::kNumber, R"("")", std::nullopt},
    {FieldType::kNumber, R"("01")", std::nullopt},
    {FieldType::kNumber, R"("1.")", std::nullopt},
    {FieldType::kNumber, R"(".5")", std::nullopt},
    {FieldType::kNumber, R"("+1")", std::nullopt},
    {FieldType::kNumber, R"("1e")", std::nullopt},
    {FieldType::kNumber, R"("0x10")", std::nullopt},
    {FieldType::kNumber, R"(" 1")", std::nullopt},
    {FieldType::kNumber, R"("1,\"x\":2")", std::nullopt},
    {FieldType::kNumber, "true", std::nullopt},
    {FieldType::kNumber, "[1]", std::nullopt},

    {FieldType::kBoolean, "true", "true"},
    {FieldType::kBoolean, R"("t")", "true"},
    {FieldType::kBoolean, "1", "true"},
    {FieldType::kBoolean, "0", "false"},
    {FieldType::kBoolean, R"("f")", "false"},
    {FieldType::kBoolean, R"("false")", "false"},
    {FieldType::kBoolean, "null", "null"},
    {FieldType::kBoolean, "2", std::nullopt},
    {FieldType::kBoolean, R"("yes")", std::nullopt},
    {FieldType::kBoolean, "{}", std::nullopt},

    {FieldType::kJson, R"("{\"a\": [1, 2.50, 12345678901234567890123]}")",
     R"({"a":[1,2.50,12345678901234567890123]})"},
    {FieldType::kJson, R"("\"x\\n\"")", R"("x\n")"},
    {FieldType::kJson, R"(" 7 ")", "7"},
    {FieldType::kJson, R"("null")", "null"},
    {FieldType::kJson, R"("[]")", "[]"},
    {FieldType::kJson, R"({"a":1})", R"({"a":1})"},
    {FieldType::kJson, "12", "12"},
    {FieldType::kJson, "null", "null"},
    {FieldType::kJson, R"("")", std::nullopt},
    {FieldType::kJson, R"("{")", std::nullopt},
    {FieldType::kJson, R"("{}{}")", std::nullopt},
    {FieldType::kJson, R"("1,2")", std::nullopt},
    {FieldType::kJson, R"("1],[2")", std::nullopt},
    {FieldType::kJson, R"("]")", std::nullopt},
    {FieldType::kJson, R"("{\"a\":tru}")", std::nullopt},
    {FieldType::kJson, R"("{\"a\":01}")", std::nullopt},
    {FieldType::kJson, R"("\"\\x\"")", std::nullopt},
    {FieldType::kJson, R"("plain text")", std::nullopt},

    {FieldType::kTimestampMillis, "0", R"("1970-01-01T00:00:00Z")"},
    {FieldType::kTimestampMillis, "1705314600123", R"("2024-01-15T10:30:00.123Z")"},
    {FieldType::kTimestampMillis, R"("1705314600100")", R"("2024-01-15T10:30:00.1Z")"},
    {FieldType::kTimestampMillis, "-1", R"("1969-12-31T23:59:59.999Z")"},
    {FieldType::kTimestampMillis, "9223372036854775", R"("294247-01-10T04:00:54.775Z")"},
    {FieldType::kTimestampMillis, "9223372036854776", std::nullopt},
    {FieldType::kTimestampMillis, "9223372036854775808", std::nullopt},
    {FieldType::kTimestampMillis, "1.5", std::nullopt},
    {FieldType::kTimestampMillis, R"("soon")", std::nullopt},
    {FieldType::kTimestampMillis, "null", "null"},
    {FieldType::kTimestampMicros, "1705314600123456", R"("2024-01-15T10:30:00.123456Z")"},
    {FieldType::kTimestampMicros, "9223372036854775807", R"("294247-01-10T04:00:54.775807Z")"},
    {FieldType::kTimestampMicros, "-62135596800000000", R"("0001-01-01T00:00:00Z")"},
    {FieldType::kTimestampMicros, "[1]", std::nullopt},

    {FieldType::kDateDays, "0", R"("1970-01-01")"},
    {FieldType::kDateDays, "19737", R"("2024-01-15")"},
    {FieldType::kDateDays, "-1", R"("1969-12-31")"},
    {FieldType::kDateDays, "11016", R"("2000-02-29")"},
    {FieldType::kDateDays, "10000000", R"("29349-01-26")"},
    {FieldType::kDateDays, "10000001", std::nullopt},
    {FieldType::kDateDays, "true", std::nullopt},
    {FieldType::kDateDays, "null", "null"},
};

TEST(Convert, EveryTypeAndItsLimits) {
  for (const auto& [type, from, to] : kCases) {
    std::string out = "before ";
    const auto converted = convert(from, type, out);
    EXPECT_EQ(converted.has_value(), to.has_value()) << from << " as " << static_cast<int>(type);
    if (converted && to) {
      EXPECT_EQ(out, "before " + std::string(*to)) << static_cast<int>(type);
    }
  }
}

TEST(Convert, ARefusalShowsTheValueAndWhatWasExpected) {
  std::string out;
  const auto converted = convert('"' + std::string(500, 'x') + '"', FieldType::kNumber, out);
  ASSERT_FALSE(converted.has_value());
  EXPECT_EQ(converted.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(converted.error().message, testing::HasSubstr("is not a number"));
  EXPECT_LT(converted.error().message.size(), 200u);
}

TEST(JsonString, EscapesWhatJsonCannotHold) {
  std::string out;
  append_json_string(std::string_view("a\"\\/\b\f\n\r\t\x01\x1f\x7f\0é😀", 19), out);
  EXPECT_EQ(out, std::string("\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000é😀\""));
}

}  // namespace
}  // namespace searchsync::worker
