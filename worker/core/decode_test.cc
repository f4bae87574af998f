#include "worker/core/decode.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::worker {
namespace {

using model::RecordFormat;
using testing::HasSubstr;
using Text = std::optional<std::string_view>;

constexpr Offset kOffset(7);
constexpr int64_t kTimestampMs = 1'737'366'946'000;

model::SourceBinding binding(model::Source source, std::vector<std::string> key = {"id"}) {
  model::SourceBinding made;
  made.metadata.name = "bugs";
  made.spec.source = std::move(source);
  made.spec.key = std::move(key);
  return made;
}

model::SourceBinding captured() {
  return binding(model::PostgresSource{});
}
model::SourceBinding foreign(RecordFormat format = RecordFormat::kDebezium) {
  return binding(model::KafkaSource{.topic = "shop.public.bugs", .format = format});
}

// What the decoder said, copied out of its buffers.
struct Said {
  std::string key;
  Position position;
  uint64_t changed_at_us = 0;
  std::optional<std::string> row;
  std::string error;
  bool nothing = false;
};

Said say(Decoder& decoder, Text key, Text value) {
  const auto decoded = decoder.decode(key, value, kOffset, kTimestampMs);
  if (!decoded) return {.error = decoded.error().message};
  if (!*decoded) return {.nothing = true};
  const SourceRow& row = **decoded;
  return {.key = std::string(row.key),
          .position = row.position,
          .changed_at_us = row.changed_at_us,
          .row = row.row.transform([](auto text) { return std::string(text); })};
}

Said say(const model::SourceBinding& binding, Text key, Text value) {
  Decoder decoder(binding);
  return say(decoder, key, value);
}

// A change event as Debezium 3 writes it for PostgreSQL.
std::string event(std::string_view after, std::string_view op = "c") {
  return fmt::format(
      R"({{"before":null,"after":{},"source":{{"version":"3.7.0.Final","connector":"postgresql",)"
      R"("name":"shop","ts_ms":1737366944920,"snapshot":"false","db":"shop",)"
      R"("sequence":"[\"280598296\",\"280598632\"]","ts_us":1737366944920305,)"
      R"("ts_ns":1737366944920305000,"schema":"public","table":"bugs","txId":599,)"
      R"("lsn":280598632,"xmin":null}},"transaction":null,"op":"{}","ts_ms":1737366946745,)"
      R"("ts_us":1737366946745142,"ts_ns":1737366946745142623}})",
      after, op);
}

std::string with_schema(std::string_view schema, std::string_view payload) {
  return fmt::format(R"({{"schema":{},"payload":{}}})", schema, payload);
}

std::string key_with_schema(std::string_view key) {
  return with_schema(
      R"({"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],)"
      R"("optional":false,"name":"shop.public.bugs.Key"})",
      key);
}

// columns: the schemas of the row's fields.
std::string event_with_schema(std::string_view columns, std::string_view after,
                              std::string_view op = "c") {
  const auto row = [columns](std::string_view field) {
    return fmt::format(
        R"({{"type":"struct","fields":[{}],"optional":true,"name":"shop.public.bugs.Value",)"
        R"("field":"{}"}})",
        columns, field);
  };
  constexpr std::string_view kSource =
      R"({"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},)"
      R"({"type":"string","optional":false,"field":"connector"},)"
      R"({"type":"string","optional":false,"field":"name"},)"
      R"({"type":"int64","optional":false,"field":"ts_ms"},)"
      R"({"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,)"
      R"("parameters":{"allowed":"true,last,false,incremental"},"default":"false",)"
      R"("field":"snapshot"},{"type":"string","optional":false,"field":"db"},)"
      R"({"type":"string","optional":true,"field":"sequence"},)"
      R"({"type":"int64","optional":true,"field":"ts_us"},)"
      R"({"type":"int64","optional":true,"field":"ts_ns"},)"
      R"({"type":"string","optional":false,"field":"schema"},)"
      R"({"type":"string","optional":false,"field":"table"},)"
      R"({"type":"int64","optional":true,"field":"txId"},)"
      R"({"type":"int64","optional":true,"field":"lsn"},)"
      R"({"type":"int64","optional":true,"field":"xmin"}],"optional":false,)"
      R"("name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"})";
  constexpr std::string_view kRest =
      R"({"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},)"
      R"({"type":"int64","optional":false,"field":"total_order"},)"
      R"({"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,)"
      R"("name":"event.block","version":1,"field":"transaction"},)"
      R"({"type":"string","optional":false,"field":"op"},)"
      R"({"type":"int64","optional":true,"field":"ts_ms"},)"
      R"({"type":"int64","optional":true,"field":"ts_us"},)"
      R"({"type":"int64","optional":true,"field":"ts_ns"})";
  return with_schema(fmt::format(R"({{"type":"struct","fields":[{},{},{},{}],"optional":false,)"
                                 R"("name":"shop.public.bugs.Envelope","version":2}})",
                                 row("before"), row("after"), kSource, kRest),
                     event(after, op));
}

constexpr std::string_view kIdColumn = R"({"type":"int64","optional":false,"field":"id"})";

// What our capture writes.
std::string captured_event(std::string_view after, std::string_view op) {
  return fmt::format(
      R"({{"before":null,"after":{},"source":{{"version":"0.1.0","connector":"postgresql",)"
      R"("name":"bug-db","ts_ms":1705314600123,"ts_us":1705314600123456,"snapshot":"false",)"
      R"("db":"bugs","schema":"public","table":"bugs","txId":1234,"lsn":987654321,"epoch":3}},)"
      R"("op":"{}","ts_ms":1705314600200}})",
      after, op);
}

TEST(Decode, OurCaptureIsKeptAsItStands) {
  constexpr std::string_view kRow =
      R"({"id":42,"title":"a \"b\" \u00e9 é","amount":"123.4500","at":"2024-01-15T10:30:00.5Z",)"
      R"("tags":["a",null],"data":"{\"x\":1}","none":null})";
  for (const char* op : {"c", "u", "r"}) {
    const auto said = say(captured(), R"({"id":42})", captured_event(kRow, op));
    EXPECT_EQ(said.error, "");
    EXPECT_EQ(said.key, "42");
    EXPECT_EQ(said.position, (Position{3, 987'654'321}));
    EXPECT_EQ(said.changed_at_us, 1'705'314'600'123'456u);
    EXPECT_EQ(said.row, kRow);
  }
  const auto deleted = say(captured(), R"({"id":42})", captured_event("null", "d"));
  EXPECT_EQ(deleted.key, "42");
  EXPECT_EQ(deleted.position, (Position{3, 987'654'321}));
  EXPECT_EQ(deleted.row, std::nullopt);
  EXPECT_TRUE(say(captured(), R"({"id":42})", std::nullopt).nothing);
  // Its rows are complete, whatever they hold.
  const std::string placeholder = R"({"id":42,"body":"__debezium_unavailable_value"})";
  EXPECT_EQ(say(foreign(), R"({"id":42})", captured_event(placeholder, "u")).row, placeholder);
}

TEST(Decode, DebeziumWithSchemas) {
  constexpr std::string_view kColumns =
      R"({"type":"int64","optional":false,"field":"id"},)"
      R"({"type":"string","optional":true,"field":"title"},)"
      R"({"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal",)"
      R"("version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},)"
      R"("field":"amount"},)"
      R"({"type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},)"
      R"({"type":"bytes","optional":false,"field":"value"}],"optional":true,)"
      R"("name":"io.debezium.data.VariableScaleDecimal","version":1,"field":"free"},)"
      R"({"type":"int32","optional":false,"name":"io.debezium.time.Date","version":1,)"
      R"("field":"day"},)"
      R"({"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,)"
      R"("default":0,"field":"created_at"},)"
      R"({"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1,)"
      R"("field":"seen_at"},)"
      R"({"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,)"
      R"("field":"data"},)"
      R"({"type":"array","items":{"type":"string","optional":true},"optional":true,)"
      R"("field":"tags"})";
  constexpr std::string_view kAfter =
      R"({"id":42,"title":"two\nlines","amount":"MDk=","free":{"scale":3,"value":"MDk="},)"
      R"("day":6020,"created_at":1737366944918656,"seen_at":"2024-01-15T10:30:00.120000Z",)"
      R"("data":"{\"a\": 1}","tags":["x",null]})";
  const auto said =
      say(foreign(), key_with_schema(R"({"id":42})"), event_with_schema(kColumns, kAfter));
  EXPECT_EQ(said.error, "");
  EXPECT_EQ(said.key, "42");
  EXPECT_EQ(said.position, (Position{0, 7}));
  EXPECT_EQ(said.changed_at_us, 1'737'366'944'920'305u);
  EXPECT_EQ(said.row,
            R"({"id":42,"title":"two\nlines","amount":"123.45","free":"12.345",)"
            R"("day":"1986-06-26","created_at":"2025-01-20T09:55:44.918656",)"
            R"("seen_at":"2024-01-15T10:30:00.12Z","data":"{\"a\": 1}","tags":["x",null]})");

  const auto deleted =
      say(foreign(), key_with_schema(R"({"id":42})"), event_with_schema(kColumns, "null", "d"));
  EXPECT_EQ(deleted.error, "");
  EXPECT_EQ(deleted.key, "42");
  EXPECT_EQ(deleted.row, std::nullopt);
  const auto tombstone = say(foreign(), key_with_schema(R"({"id":42})"), std::nullopt);
  EXPECT_EQ(tombstone.key, "42");
  EXPECT_EQ(tombstone.position, (Position{0, 7}));
  EXPECT_EQ(tombstone.changed_at_us, kTimestampMs * 1000u);
}

TEST(Decode, DebeziumWithoutSchemas) {
  constexpr std::string_view kAfter = R"({"id":42,"amount":"MDk=","day":6020,"tags":["x"]})";
  const auto said = say(foreign(), R"({"id":42})", event(kAfter, "u"));
  EXPECT_EQ(said.error, "");
  EXPECT_EQ(said.position, (Position{0, 7}));
  EXPECT_EQ(said.changed_at_us, 1'737'366'944'920'305u);
  EXPECT_EQ(said.row, kAfter);
  // Written by a converter that knew of no schema.
  const auto none =
      say(foreign(), with_schema("null", R"({"id":42})"), with_schema("null", event(kAfter, "u")));
  EXPECT_EQ(none.row, kAfter);
  for (const char* op : {"t", "m"}) {
    EXPECT_TRUE(say(foreign(), R"({"id":42})", event("null", op)).nothing) << op;
  }
}

TEST(Decode, OneDecoderReadsManySchemas) {
  Decoder decoder(foreign());
  for (int round = 0; round < 3; ++round) {
    for (int scale = 0; scale < 100; ++scale) {
      const auto columns =
          fmt::format(R"({},{{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal",)"
                      R"("parameters":{{"scale":"{}"}},"field":"n"}})",
                      kIdColumn, scale);
      const auto said = say(decoder, key_with_schema(R"({"id":1})"),
                            event_with_schema(columns, R"({"id":1,"n":"AQ=="})"));
      const std::string zeros(static_cast<size_t>(std::max(0, scale - 1)), '0');
      const auto number = scale == 0 ? "1" : "0." + zeros + "1";
      ASSERT_EQ(said.row, fmt::format(R"({{"id":1,"n":"{}"}})", number)) << said.error;
    }
  }
}

TEST(Decode, ValuesThatTheDatabaseDidNotTellAreRefused) {
  std::string bytes, floats, base64;
  for (const char c : std::string_view("__debezium_unavailable_value")) {
    const char* comma = bytes.empty() ? "" : ",";
    bytes += fmt::format("{}{}", comma, int{c});
    floats += fmt::format("{}{}.0", comma, int{c});
  }
  const std::string placeholders[] = {
      R"("__debezium_unavailable_value")",
      R"("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==")",
      R"(["__debezium_unavailable_value"])",
      R"(["X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="])",
      R"(["b68a35a7-17ad-35b3-af2a-ae46edb4545a"])",
      R"({"__debezium_unavailable_value":"__debezium_unavailable_value"})",
      R"("{\"__debezium_unavailable_value\":\"__debezium_unavailable_value\"}")",
      "[" + bytes + "]",
      "[" + floats + "]",
  };
  const std::string columns =
      fmt::format(R"({},{{"type":"string","optional":true,"field":"body"}})", kIdColumn);
  for (const auto& placeholder : placeholders) {
    const auto after = fmt::format(R"({{"id":42,"body":{}}})", placeholder);
    for (const auto& said :
         {say(foreign(), R"({"id":42})", event(after, "u")),
          say(foreign(), key_with_schema(R"({"id":42})"), event_with_schema(columns, after, "u")),
          say(foreign(RecordFormat::kJson), std::nullopt, after)}) {
      EXPECT_THAT(said.error, HasSubstr("binding bugs: ")) << placeholder;
      EXPECT_THAT(said.error, HasSubstr("column body: ")) << placeholder;
      EXPECT_THAT(said.error, HasSubstr("REPLICA IDENTITY FULL")) << placeholder;
    }
  }
  const std::string others[] = {R"("of __debezium_unavailable_value")",
                                R"(["__debezium_unavailable_value","x"])", "[95,95,100]",
                                "[" + bytes + ",1]", R"("b68a35a7-17ad-35b3-af2a-ae46edb4545a")"};
  for (const auto& other : others) {
    const auto after = fmt::format(R"({{"id":42,"body":{}}})", other);
    EXPECT_EQ(say(foreign(), R"({"id":42})", event(after, "u")).row, after);
  }
}

TEST(Decode, PlainRows) {
  const auto plain = foreign(RecordFormat::kJson);
  const struct {
    Text key;
    Text value;
    std::string_view id;
    Text row;
  } cases[] = {
      {std::nullopt, R"({"id":42,"a":[1, 2]})", "42", R"({"id":42,"a":[1, 2]})"},
      {"anything", " { \"id\" : \"x y\" ,\n\t\"a\":\"b c\" }\n", "x y",
       R"({"id":"x y","a":"b c"})"},
      {std::nullopt, R"( {"id":42, "a":[ ] } )", "42", R"({"id":42, "a":[ ] })"},
      {"42", std::nullopt, "42", std::nullopt},
      {"a/b", std::nullopt, "a/b", std::nullopt},
      {R"("a\u00e9")", std::nullopt, "aé", std::nullopt},
      {R"({"id":42})", std::nullopt, "42", std::nullopt},
      {std::nullopt, R"({"schema":"public","id":1})", "1", R"({"schema":"public","id":1})"},
      {std::nullopt, R"({"schema":{"type":"x"},"id":1})", "1", R"({"schema":{"type":"x"},"id":1})"},
      {std::nullopt, R"({"schema":null,"id":1})", "1", R"({"schema":null,"id":1})"},
      {std::nullopt,
       R"({"schema":{"type":"struct","fields":[{"type":"string","field":"id"},)"
       R"({"type":"int32","name":"io.debezium.time.Date","field":"day"}]},)"
       R"("payload":{"id":"k","day":1}})",
       "k", R"({"id":"k","day":"1970-01-02"})"},
      {R"({"schema":{"type":"struct","fields":[]},"payload":{"id":5}})",
       R"({"schema":{"type":"struct","fields":[]},"payload":null})", "5", std::nullopt},
  };
  for (const auto& [key, value, id, row] : cases) {
    const auto said = say(plain, key, value);
    EXPECT_EQ(said.error, "") << value.value_or("") << key.value_or("");
    EXPECT_EQ(said.key, id);
    EXPECT_EQ(said.row.has_value(), row.has_value());
    EXPECT_EQ(said.row.value_or(""), row.value_or(""));
    EXPECT_EQ(said.position, (Position{0, 7}));
  }
}

TEST(Decode, KeysOfSeveralColumns) {
  const auto two = binding(model::KafkaSource{.topic = "t"}, {"b", "a"});
  EXPECT_EQ(say(two, R"({"a":1,"b":"x"})", std::nullopt).key,
            "x\x1f"
            "1");
  EXPECT_EQ(say(two, R"({"a":"\u001f","b":true})", std::nullopt).key, "true\x1f\x1e\x1f");
  const std::string decimal =
      R"({"type":"bytes","name":"org.apache.kafka.connect.data.Decimal",)"
      R"("parameters":{"scale":"1"},"field":"a"},{"type":"string","field":"b"})";
  EXPECT_EQ(
      say(two,
          with_schema(R"({"type":"struct","fields":[)" + decimal + "]}", R"({"a":"AQ==","b":"x"})"),
          std::nullopt)
          .key,
      "x\x1f"
      "0.1");
}

TEST(Decode, LongNamesAreReadTwice) {
  // The key is taken from a row that has been read once already.
  const std::string name(100'000, 'n'), escaped = R"(\t)";
  const auto row = fmt::format(R"({{"{}{}":1,"id":"{}{}"}})", name, escaped, "x", escaped);
  EXPECT_EQ(say(foreign(RecordFormat::kJson), std::nullopt, row).row, row);
  const auto wrapped = with_schema(R"({"type":"struct","fields":[]})", row);
  EXPECT_EQ(say(foreign(RecordFormat::kJson), std::nullopt, wrapped).row, row);
}

TEST(Decode, ErrorsAreTextWhateverWasRead) {
  for (const std::string& text :
       {std::string("\xff\xfe\0 no text", 10), std::string("{\"\xff\":1}"),
        std::string("{\"id\":\xff}"), std::string("{\"id\":\"\xff\"}")}) {
    for (const auto format : {RecordFormat::kJson, RecordFormat::kDebezium}) {
      for (const auto& said :
           {say(foreign(format), text, std::nullopt), say(foreign(format), R"({"id":42})", text)}) {
        EXPECT_NE(said.error, "");
        EXPECT_NO_THROW((void)nlohmann::json(said.error).dump()) << said.error;
      }
    }
  }
}

TEST(Decode, JsonThatBreaksBesideASchemaIsMalformed) {
  for (const char* text :
       {R"({"schema":{"type" 1},"payload":{}})", R"({"schema":{"a" 1},"payload":{}})",
        R"({"schema":{"type":"struct"},"payload" {}})", R"({"schema":{"a" 1},"id":42})"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(say(foreign(), text, std::nullopt).error, HasSubstr("the record's key: JSON"));
    EXPECT_THAT(say(foreign(), R"({"id":42})", text).error, HasSubstr("JSON"));
    EXPECT_THAT(say(foreign(RecordFormat::kJson), std::nullopt, text).error, HasSubstr("JSON"));
  }
}

TEST(Decode, WhateverIsWrongIsNamed) {
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  const std::string id = R"({"id":42})";
  const auto plain = foreign(RecordFormat::kJson);
  const struct {
    model::SourceBinding from;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::string_view expected;
  } cases[] = {
      // The key.
      {foreign(), std::nullopt, event("{}"), "the record has no key"},
      {foreign(), "", event("{}"), "the record's key: expected a JSON object, got nothing"},
      {foreign(), "null", event("{}"), "the record's key: expected a JSON object, got null"},
      {foreign(), "42", event("{}"), "the record's key: expected a JSON object, got 42"},
      {foreign(), R"({"id":42)", event("{}"), "the record's key: "},
      {foreign(), id + id, event("{}"), "the record's key: expected one JSON object"},
      {foreign(), "{}", event("{}"),
       "column id of the key: expected a text, a number or a boolean, got nothing"},
      {foreign(), R"({"id":null})", event("{}"),
       "column id of the key: expected a text, a number or a boolean, got null"},
      {foreign(), R"({"id":[1]})", event("{}"),
       "column id of the key: expected a text, a number or a boolean, got [1]"},
      {foreign(), R"({"id":tru})", event("{}"), "the record's key: column id: "},
      {foreign(), R"({"id":1,"part":2})", event("{}"), "column part is not in the binding's key"},
      {foreign(), R"({"id":""})", event("{}"), "the key has 0 bytes"},
      {foreign(), R"({"id":")" + std::string(513, 'x') + R"("})", event("{}"),
       "the key has 513 bytes"},
      {foreign(), key_with_schema("null"), event("{}"), "the record's key is null"},
      {foreign(), key_with_schema("42"), event("{}"),
       "the record's key: payload: expected an object, got 42"},
      // The change event.
      {foreign(), id, "", "expected a JSON object, got nothing"},
      {foreign(), id, "[]", "expected a JSON object, got []"},
      {foreign(), id, R"({"id":42})", "for plain rows set format: Json"},
      {foreign(), id, event("{}", "x"), "got \"x\""},
      {foreign(), id, event("null"), "after: the change event of op \"c\" has no row"},
      {foreign(), id, event("[1]"), "after: "},
      {foreign(), id, event("{}") + "{}", "expected one JSON object, got more behind it"},
      {foreign(), id, event(R"({"id":42)"), ""},
      {foreign(), id, event("{}").substr(0, 300), ""},
      {foreign(), id, event(R"({"id":42,"a":tru})"), "after: the row: "},
      {foreign(), id, event(R"({"id":42,"a":01})"), "after: the row: "},
      {foreign(), id, event(R"({"id":42,"a":1e})"), "after: the row: "},
      {foreign(), id, event(R"({"id":42,"a":"\x"})"), "after: the row: "},
      {foreign(), id, event("{\"id\":42,\"a\":\"\n\"}"), ""},
      {foreign(), id, event("{\"id\":42,\"a\":\"\xff\"}"), "UTF-8"},
      {foreign(), id, event(R"({"id":42,"a":)" + deep + "}"), "deep"},
      {captured(), id,
       R"({"source":{"connector":"postgresql","epoch":1},"op":"c","after":{"id":1}})",
       "source: expected an lsn beside the epoch"},
      // Schemas.
      {foreign(), id, with_schema(R"({"type":"struct"})", event("{}")),
       "schema: a struct of the schema has no \"fields\""},
      {foreign(), id, event_with_schema(R"({"field":"id"})", "{}"),
       "schema: the schema has no \"type\""},
      {foreign(), id, event_with_schema(kIdColumn, R"({"id":42})") + "{}",
       "expected one JSON object"},
      {foreign(), id,
       event_with_schema(R"({"type":"int32","name":"io.debezium.time.Date","field":"day"})",
                         R"({"day":"soon"})"),
       "after: column day: expected an integer of time, got \"soon\""},
      {foreign(), id,
       event_with_schema(
           R"({"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","field":"n"})",
           R"({"n":"?"})"),
       "after: column n: expected a decimal's bytes in base64, got ?"},
      // Plain rows.
      {plain, std::nullopt, std::nullopt, "neither a key nor a row"},
      {plain, "42", "null", "expected a JSON object, got null"},
      {plain, std::nullopt, R"({"a":1})", "the row: column id of the key: "},
      {plain, std::nullopt, R"({"id":1} {"id":2})", "expected one JSON object"},
      {plain, "\xff", std::nullopt, "the record's key: expected JSON or a text"},
      {plain, std::string(513, 'x'), std::nullopt, "the record's key has 513 bytes"},
      {binding(model::KafkaSource{.topic = "t", .format = RecordFormat::kJson}, {"a", "b"}), "1",
       std::nullopt, "needs them in a JSON object"},
  };
  for (const auto& [from, key, value, expected] : cases) {
    const auto said = say(from, key, value);
    EXPECT_THAT(said.error, HasSubstr("binding bugs: ")) << key.value_or("") << value.value_or("");
    EXPECT_THAT(said.error, HasSubstr(expected));
  }
}

TEST(Decode, NumbersAreKeptToTheLastDigit) {
  const std::string row =
      R"({"id":123456789012345678901234567890,"a":1e400,"b":-0.00000000000000000000000000000001})";
  const auto said = say(foreign(RecordFormat::kJson), std::nullopt, row);
  EXPECT_EQ(said.key, "123456789012345678901234567890");
  EXPECT_EQ(said.row, row);
}

TEST(Decode, OfAFieldThatComesTwiceTheLastOneCounts) {
  EXPECT_EQ(say(foreign(RecordFormat::kJson), std::nullopt, R"({"id":1,"id":2})").key, "2");
  const auto twice = say(foreign(), R"({"id":1})", R"({"after":{"id":1},"after":null,"op":"c"})");
  EXPECT_THAT(twice.error, HasSubstr("has no row"));
}

TEST(Decode, ErrorsAreShortWhateverTheRecord) {
  const std::string text(1'000'000, 'x');
  const auto plain = foreign(RecordFormat::kJson);
  const std::pair<std::string, std::string> records[] = {
      {R"({"id":1})", text},
      {R"({"id":1})", R"({"op":")" + text + R"("})"},
      {R"({"id":1,")" + text + R"(":1})", event("{}")},
      {R"({"id":["x)" + text + R"("]})", event("{}")},
      {R"({"id":1})", event(R"({")" + text + R"(":"__debezium_unavailable_value"})")},
      {R"({"id":1})",
       event_with_schema(R"({"type":"int32","name":"io.debezium.time.Date","field":"d"})",
                         R"({"d":")" + text + R"("})")},
  };
  for (const auto& [key, value] : records) {
    const auto said = say(foreign(), key, value);
    EXPECT_NE(said.error, "");
    EXPECT_LT(said.error.size(), 500u);
  }
}

}  // namespace
}  // namespace searchsync::worker
