#include "worker/core/connect.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::worker {
namespace {

using testing::HasSubstr;

// Of the column v: its canonical JSON, or the error.
std::string canonical(std::string_view schema, std::string_view value) {
  const auto form = parse_connect_schema(
      fmt::format(R"({{"type":"struct","fields":[{},{{"type":"int32","field":"w"}}]}})", schema));
  if (!form) return form.error().message;
  const simdjson::padded_string text(fmt::format(R"({{"v":{},"w":1}})", value));
  simdjson::ondemand::parser parser;
  auto document = parser.iterate(text);
  simdjson::ondemand::object object;
  if (document.get_object().get(object)) return "no object";
  std::string out;
  if (const auto made = append_canonical_fields(*form, object, 0, out); !made) {
    EXPECT_EQ(made.error().code, ErrorCode::kMalformed);
    return made.error().message;
  }
  EXPECT_TRUE(out.starts_with(R"({"v":)") && out.ends_with(R"(,"w":1})")) << out;
  return out.substr(5, out.size() - 12);
}

// The schema of a column v with a semantic type.
std::string named(std::string_view type, std::string_view name, std::string_view more = "") {
  return fmt::format(R"({{"type":"{}","optional":true,"name":"{}","version":1{},"field":"v"}})",
                     type, name, more);
}

std::string plain(std::string_view type) {
  return fmt::format(R"({{"type":"{}","optional":true,"field":"v"}})", type);
}

std::string array_of(std::string_view items) {
  return fmt::format(R"({{"type":"array","items":{},"optional":true,"field":"v"}})", items);
}

const std::string kDecimal =
    named("bytes", "org.apache.kafka.connect.data.Decimal", R"(,"parameters":{"scale":"2"})");
const std::string kVariable = named("struct", "io.debezium.data.VariableScaleDecimal");

TEST(Connect, EverySemanticType) {
  const struct {
    std::string schema;
    std::string_view value;
    std::string_view canonical;
  } cases[] = {
      {plain("int64"), "-9223372036854775808", "-9223372036854775808"},
      {plain("double"), "1.50", "1.50"},
      {plain("double"), R"("NaN")", R"("NaN")"},
      {plain("boolean"), "true", "true"},
      {plain("string"), R"("a\nb")", R"("a\nb")"},
      {plain("bytes"), R"("AQI=")", R"("AQI=")"},
      {plain("string"), "null", "null"},

      {kDecimal, R"("MDk=")", R"("123.45")"},
      {kDecimal, R"("/w==")", R"("-0.01")"},
      {kDecimal, "123.450", R"("123.450")"},
      {kDecimal, "null", "null"},
      {named("bytes", "org.apache.kafka.connect.data.Decimal"), R"("MDk=")", R"("12345")"},
      {kVariable, R"({"scale":3,"value":"MDk="})", R"("12.345")"},
      {kVariable, R"({"value":"MDk=","scale":0})", R"("12345")"},
      {kVariable, "null", "null"},

      {named("int32", "io.debezium.time.Date"), "19737", R"("2024-01-15")"},
      {named("int32", "io.debezium.time.Date"), "-1", R"("1969-12-31")"},
      {named("int32", "io.debezium.time.Date"), "2147483647", R"("infinity")"},
      {named("int32", "io.debezium.time.Date"), "-2147483648", R"("-infinity")"},
      {named("int32", "org.apache.kafka.connect.data.Date"), "0", R"("1970-01-01")"},
      {named("int64", "io.debezium.time.Timestamp"), "1705314600120",
       R"("2024-01-15T10:30:00.12")"},
      {named("int64", "org.apache.kafka.connect.data.Timestamp"), "0", R"("1970-01-01T00:00:00")"},
      {named("int64", "io.debezium.time.MicroTimestamp"), "1705314600000001",
       R"("2024-01-15T10:30:00.000001")"},
      {named("int64", "io.debezium.time.MicroTimestamp"), "9223372036825199999",
       R"("294247-01-10T04:00:25.199999")"},
      {named("int64", "io.debezium.time.Timestamp"), "9223372036825200", R"("infinity")"},
      {named("int64", "io.debezium.time.Timestamp"), "-9223372036832400", R"("-infinity")"},
      {named("int64", "org.apache.kafka.connect.data.Timestamp"), "9223372036825200000",
       R"("infinity")"},
      {named("int32", "io.debezium.time.Date"), "2145042905", R"("5874897-12-31")"},
      {named("int32", "io.debezium.time.Date"), "2145042906", R"("infinity")"},
      {named("int64", "io.debezium.time.MicroTimestamp"), "9223372036825200000", R"("infinity")"},
      {named("int64", "io.debezium.time.MicroTimestamp"), "-9223372036832400000", R"("-infinity")"},
      {named("int64", "io.debezium.time.NanoTimestamp"), "1705314600000000001",
       R"("2024-01-15T10:30:00.000000001")"},
      {named("int32", "io.debezium.time.Time"), "37800500", R"("10:30:00.5")"},
      {named("int32", "org.apache.kafka.connect.data.Time"), "0", R"("00:00:00")"},
      {named("int64", "io.debezium.time.MicroTime"), "37800000001", R"("10:30:00.000001")"},
      {named("int64", "io.debezium.time.MicroTime"), "86400000000", R"("24:00:00")"},
      {named("int64", "io.debezium.time.NanoTime"), "1", R"("00:00:00.000000001")"},
      {named("string", "io.debezium.time.ZonedTimestamp"), R"("2024-01-15T10:30:00.120000Z")",
       R"("2024-01-15T10:30:00.12Z")"},
      {named("string", "io.debezium.time.ZonedTimestamp"), R"("2024-01-15T10:30:00+02:00")",
       R"("2024-01-15T08:30:00Z")"},
      {named("string", "io.debezium.time.ZonedTimestamp"), R"("sometime")", R"("sometime")"},
      {named("string", "io.debezium.time.ZonedTime"), R"("10:30:00Z")", R"("10:30:00+00:00")"},
      {named("string", "io.debezium.time.IsoTimestamp"), R"("2024-01-15T10:30:00.500Z")",
       R"("2024-01-15T10:30:00.5")"},
      {named("string", "io.debezium.time.IsoDate"), R"("2024-01-15Z")", R"("2024-01-15")"},
      {named("string", "io.debezium.time.Interval"), R"("P1Y2M3DT4H5M6.780000S")",
       R"("P1Y2M3DT4H5M6.78S")"},
      {named("int64", "io.debezium.time.MicroDuration"), "93600500000", R"("PT26H0.5S")"},
      {named("int32", "io.debezium.time.Year"), "2024", "2024"},

      {named("bytes", "io.debezium.data.Bits", R"(,"parameters":{"length":"10"})"), R"("AQI=")",
       R"("1000000001")"},
      {named("bytes", "io.debezium.data.Bits", R"(,"parameters":{"length":"2147483647"})"),
       R"("BQ==")", R"("00000101")"},
      {named("string", "io.debezium.data.Json"), R"("{\"a\": 1}")", R"("{\"a\": 1}")"},
      {named("string", "io.debezium.data.Uuid"), R"("b68a35a7-17ad-35b3-af2a-ae46edb4545b")",
       R"("b68a35a7-17ad-35b3-af2a-ae46edb4545b")"},
      {named("string", "io.debezium.data.Enum", R"(,"parameters":{"allowed":"a,b"})"), R"("a")",
       R"("a")"},
      {named("struct", "io.debezium.data.geometry.Point"),
       R"({"x":1.0,"y":-2.5,"wkb":"AQ==","srid":null})", "\"(1,-2.5)\""},
      {named("struct", "io.debezium.data.geometry.Geometry"), R"({"wkb":"AQEA","srid":null})",
       R"("010100")"},

      {array_of(R"({"type":"string"})"), R"([ "a" , null ])", R"(["a",null])"},
      {array_of(R"({"type":"int32","name":"io.debezium.time.Date"})"), "[0,1]",
       R"(["1970-01-01","1970-01-02"])"},
      {array_of(R"({"type":"array","items":{"type":"int32"}})"), "[[1],[]]", "[[1],[]]"},
      {array_of(R"({"type":"string"})"), "null", "null"},
      {R"({"type":"map","keys":{"type":"string"},"values":{"type":"string"},"field":"v"})",
       R"({"k":"x"})", R"({"k":"x"})"},
      {R"({"type":"struct","fields":[{"type":"int32","name":"io.debezium.time.Date","field":"d"}],)"
       R"("name":"some.Type","field":"v"})",
       R"({"d":1,"more":[1, {}]})", R"({"d":"1970-01-02","more":[1,{}]})"},
  };
  for (const auto& [schema, value, expected] : cases) {
    EXPECT_EQ(canonical(schema, value), expected) << schema;
  }
}

TEST(Connect, WhatTheSchemaDoesNotSayIsRefused) {
  const auto date = named("int32", "io.debezium.time.Date");
  const struct {
    std::string schema;
    std::string value;
    std::string_view error;
  } cases[] = {
      {date, R"("soon")", R"(column v: expected an integer of time, got "soon")"},
      {date, "1.5", "column v: expected an integer of time, got 1.5"},
      {date, "9223372036854775808",
       "column v: expected an integer of time, got 9223372036854775808"},
      {kDecimal, R"("MDk")", "column v: expected a decimal's bytes in base64, got MDk"},
      {kDecimal, "{}", "column v: expected a decimal's bytes in base64, got {"},
      {kDecimal, "01", "column v: expected a decimal, got 01"},
      {kVariable, "[]", "column v: expected an object with scale and value"},
      {kVariable, R"({"value":"MDk="})", "column v: expected an object with scale and value"},
      {kVariable, R"({"scale":1})", "column v: expected an object with scale and value"},
      {kVariable, R"({"scale":20001,"value":"MDk="})", "got 2 bytes and scale 20001"},
      {kVariable, R"({"scale":-9223372036854775808,"value":"MDk="})",
       "and scale -9223372036854775808"},
      {named("int64", "io.debezium.time.MicroTime"), "-1",
       "column v: expected a time of day, got -1"},
      {named("int64", "io.debezium.time.MicroTime"), "86400000001", "expected a time of day"},
      {named("string", "io.debezium.time.ZonedTimestamp"), "5",
       "column v: expected a time as text, got 5"},
      {named("bytes", "io.debezium.data.Bits"), R"("?")",
       "column v: expected bits in base64, got ?"},
      {named("struct", "io.debezium.data.geometry.Point"), R"({"x":1})",
       "column v: expected a point with x and y"},
      {named("struct", "io.debezium.data.geometry.Geometry"), "1",
       "column v: expected a geometry's object"},
      {array_of(R"({"type":"string"})"), "{}", "column v: expected an array"},
      {array_of(R"({"type":"int32","name":"io.debezium.time.Date"})"), R"([0,"x"])",
       "column v: expected an integer"},
      {R"({"type":"struct","fields":[],"field":"v"})", "[]", "column v: expected an object"},
      {R"({"type":"struct","fields":[)"
       R"({"type":"int32","name":"io.debezium.time.Date","field":"d"}],"field":"v"})",
       R"({"d":"x"})", "column v: column d: expected an integer of time"},
      {plain("string"), "tru", "column v: "},
      {plain("int32"), std::string(100, '[') + std::string(100, ']'), "column v: "},
      {R"({"field":"v"})", "1", R"(the schema has no "type")"},
      {R"({"type":"struct","field":"v"})", "1", R"(a struct of the schema has no "fields")"},
      {R"({"type":"array","field":"v"})", "1", R"(an array of the schema has no "items")"},
  };
  for (const auto& [schema, value, error] : cases) {
    EXPECT_THAT(canonical(schema, value), HasSubstr(error)) << schema << value;
  }
}

TEST(Connect, SchemasAreNestedOnlySoDeep) {
  const auto nested = [](int depth) {
    std::string schema = R"({"type":"string"})";
    for (int i = 0; i < depth; ++i) schema = R"({"type":"array","items":)" + schema + "}";
    return schema;
  };
  EXPECT_TRUE(parse_connect_schema(nested(32)).has_value());
  EXPECT_FALSE(parse_connect_schema(nested(33)).has_value());
  EXPECT_FALSE(parse_connect_schema(nested(10'000)).has_value());
  EXPECT_FALSE(parse_connect_schema("{").has_value());
}

TEST(Connect, FieldsAreFoundInAnyOrder) {
  const auto form = parse_connect_schema(
      R"({"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"int32","field":"b"},)"
      R"({"type":"int32","field":"c"}]})");
  ASSERT_TRUE(form.has_value());
  size_t hint = 0;
  for (const char* name : {"a", "b", "c", "a", "c", "b", "b"}) {
    const auto* found = form->find(name, hint);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->field, name);
  }
  EXPECT_EQ(form->find("d", hint), nullptr);
}

}  // namespace
}  // namespace searchsync::worker
