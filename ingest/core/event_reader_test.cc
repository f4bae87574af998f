#include "ingest/core/event_reader.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "ingest/core/test_schema.h"
#include "worker/core/decode.h"
#include "worker/core/message.h"

namespace searchsync::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) +
                      std::chrono::hours(12) + std::chrono::microseconds(5);

class EventReaderTest : public testing::Test {
 protected:
  std::expected<Events, BodyProblem> read(std::string_view body, BodyForm form = BodyForm::kJson,
                                          OnError on_error = OnError::kReject,
                                          std::vector<PathValue> path = {}) {
    return reader_.read(schema_, {.body = body,
                                  .form = form,
                                  .on_error = on_error,
                                  .path = path,
                                  .now = kNow,
                                  .seed = 1,
                                  .other_seed = 2});
  }

  // "0 size: reason"
  std::vector<std::string> faults(std::string_view body, BodyForm form = BodyForm::kJson) {
    const auto events = read(body, form);
    if (!events) return {"the body: " + events.error().message};
    std::vector<std::string> all;
    for (const auto& [place, field, reason] : events->faults.list()) {
      all.push_back(fmt::format("{} {}: {}", place, field, reason));
    }
    return all;
  }

  static std::vector<std::string> values(const Events& events) {
    std::vector<std::string> all;
    for (const auto& record : events.batch.records) all.emplace_back(events.batch.value(record));
    return all;
  }

  EventSchema schema_{test_binding()};
  EventReader reader_;
};

TEST_F(EventReaderTest, AnEventBecomesARowWithAllColumnsInOrder) {
  const auto events = read(
      R"( {"read":true,"more":{"a" : [1, "x\n"]},"domain":"a.example",)"
      R"("at":"2026-02-03T05:00:00.5+02:00","kind":"bounced","ratio":-0.50e0,"size":7,)"
      R"("id":"e-1"} )");
  ASSERT_TRUE(events) << events.error().message;
  EXPECT_THAT(values(*events),
              ElementsAre(R"({"id":"e-1","domain":"a.example","kind":"bounced","size":7,)"
                          R"("ratio":-0.50e0,"read":true,"at":"2026-02-03T03:00:00.500000Z",)"
                          R"("more":{"a":[1,"x\n"]}})"));
  const auto& record = events->batch.records[0];
  EXPECT_EQ(events->batch.key(record), "a.example");
  EXPECT_EQ(events->batch.id(record), R"("e-1")");
}

TEST_F(EventReaderTest, WhatIsAbsentIsFilledInOrNull) {
  const auto events = read(R"({"domain":"a","size":null,"id":null})");
  ASSERT_TRUE(events);
  ASSERT_EQ(events->batch.records.size(), 1u);
  const auto row = nlohmann::json::parse(events->batch.value(events->batch.records[0]));
  EXPECT_EQ(row["at"], "2026-03-01T12:00:00.000005Z");
  EXPECT_EQ(row["size"], nullptr);
  EXPECT_EQ(row.size(), 8u);
  EXPECT_THAT(row["id"].get<std::string>(),
              testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                    "[0-9a-f]{12}"));
  EXPECT_EQ(row["id"].dump(), events->batch.id(events->batch.records[0]));
}

TEST_F(EventReaderTest, SeveralAreToldApartByTheirPlace) {
  for (const auto& [body, form] :
       {std::pair(R"([{"domain":"a","id":"1"},{"domain":"b","id":"2"}])", BodyForm::kJson),
        std::pair("{\"domain\":\"a\",\"id\":\"1\"}\r\n\n  \n{\"domain\":\"b\",\"id\":\"2\"}",
                  BodyForm::kNdjson)}) {
    const auto events = read(body, form);
    ASSERT_TRUE(events) << events.error().message;
    ASSERT_EQ(events->batch.records.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      const auto& record = events->batch.records[i];
      EXPECT_EQ(record.place, i);
      EXPECT_EQ(events->batch.key(record), i == 0 ? "a" : "b");
      EXPECT_EQ(events->batch.id(record), i == 0 ? "\"1\"" : "\"2\"");
    }
  }
  EXPECT_TRUE(read("[]")->batch.records.empty());
  EXPECT_TRUE(read("\n \n", BodyForm::kNdjson)->batch.records.empty());
}

TEST_F(EventReaderTest, ThePathGivesColumns) {
  const std::vector<PathValue> path = {{"domain", "a.example"}, {"kind", "delivered"}};
  for (const std::string_view body : {"", " ", "{}", R"({"size":1})"}) {
    const auto events = read(body, BodyForm::kJson, OnError::kReject, path);
    ASSERT_TRUE(events) << body;
    ASSERT_EQ(events->batch.records.size(), 1u) << body;
    EXPECT_THAT(values(*events)[0], HasSubstr(R"("domain":"a.example","kind":"delivered")"));
  }
  const auto twice = read(R"({"domain":"a.example"})", BodyForm::kJson, OnError::kReject, path);
  EXPECT_THAT(twice->faults.list(),
              ElementsAre(Fault{0, "domain", "comes from the path: leave it out"}));
  const auto wrong =
      read("{}", BodyForm::kJson, OnError::kAccept, {{"domain", "a"}, {"kind", "opened"}});
  EXPECT_THAT(
      wrong->faults.list(),
      ElementsAre(Fault{0, "kind", "expected one of delivered, bounced, found \"opened\""}));
  EXPECT_TRUE(wrong->batch.records.empty());
  const auto binary = read("{}", BodyForm::kJson, OnError::kReject, {{"domain", "\xff"}});
  EXPECT_THAT(binary->faults.list(), ElementsAre(Fault{0, "domain", "is not UTF-8"}));
  for (const auto& [column, text, reason] :
       {std::tuple("size", "5", ""), std::tuple("size", "05", "expected a number, found \"05\""),
        std::tuple("size", "101", "is 101: expected at most 100"),
        std::tuple("read", "yes", "expected true or false, found \"yes\""),
        std::tuple("at", "2026-01-31T12:00:00Z", ""),
        std::tuple("at", "now", "expected a time such as 2026-01-31T12:00:00Z, found \"now\"")}) {
    const auto events =
        read(R"({"domain":"a"})", BodyForm::kJson, OnError::kReject, {{column, text}});
    const auto& list = events->faults.list();
    EXPECT_EQ(list.empty() ? "" : list[0].reason, reason) << column << " " << text;
  }
}

TEST_F(EventReaderTest, EveryFaultIsNamedWithItsField) {
  const struct {
    std::string_view body;
    std::vector<std::string> expected;
  } kCases[] = {
      {"{}", {"0 domain: is required"}},
      {R"({"domain":null})", {"0 domain: is required"}},
      {R"({"domain":5,"size":"5","ratio":true,"read":1,"at":[],"kind":{}})",
       {"0 domain: expected a string, found a number",
        "0 size: expected a whole number, found a string",
        "0 ratio: expected a number, found a boolean",
        "0 read: expected true or false, found a number",
        "0 at: expected a time, such as \"2026-01-31T12:00:00Z\", found an array",
        "0 kind: expected a string, found an object"}},
      {R"({"domain":"123456789012345678901"})", {"0 domain: has 21 bytes: expected at most 20"}},
      {R"({"domain":"a","kind":"opened"})",
       {"0 kind: expected one of delivered, bounced, found \"opened\""}},
      {R"({"domain":"a","size":-1,"ratio":-1.5})",
       {"0 size: is -1: expected at least 0", "0 ratio: is -1.5: expected at least -1"}},
      {R"({"domain":"a","size":101})", {"0 size: is 101: expected at most 100"}},
      {R"({"domain":"a","size":1.0})", {"0 size: expected a whole number of 64 bits, found 1.0"}},
      {R"({"domain":"a","size":9223372036854775808})",
       {"0 size: expected a whole number of 64 bits, found 9223372036854775808"}},
      {R"({"domain":"a","ratio":1e400})",
       {"0 ratio: expected a number that 64 bits of floating point can come close to, found "
        "1e400"}},
      {R"({"domain":"a","at":"2026-02-30T00:00:00Z"})",
       {"0 at: expected a time such as 2026-01-31T12:00:00Z, found \"2026-02-30T00:00:00Z\""}},
      {R"({"domain":"a","at":"0000-01-01T00:00:00+23:00"})",
       {"0 at: expected a time such as 2026-01-31T12:00:00Z, found \"0000-01-01T00:00:00+23:00\""}},
      {R"({"domain":"a","domains":"a"})",
       {"0 domains: is no field of these events, did you mean `domain`?"}},
      {R"({"domain":"a","zzz":{"deep":[1]}})",
       {"0 zzz: is no field of these events; known are: id, domain, kind, size, ratio, read, at, "
        "more"}},
      {R"({"domain":"a","size":1,"size":2})", {"0 size: is there twice"}},
      {R"({"domain":"a","size":null,"size":2})", {"0 size: is there twice"}},
      {R"({"domain":"a","id":""})", {"0 id: is empty: it tells events apart"}},
      {R"([{"domain":"a"},7,"x",[],null])",
       {"1 : expected an object, found a number", "2 : expected an object, found a string",
        "3 : expected an object, found an array", "4 : expected an object, found null"}},
      {R"([{"domain":"a"},{"size":7},{}])", {"1 domain: is required", "2 domain: is required"}},
  };
  for (const auto& [body, expected] : kCases) EXPECT_EQ(faults(body), expected) << body;
}

TEST_F(EventReaderTest, ALineThatIsNoJsonSaysNothingOfTheOthers) {
  const std::string body =
      "{\"domain\":\"a\"}\n{\"domain\":\nnot JSON\n{\"domain\":\"b\"} {}\n[]\n{\"domain\":\"c\"}\n";
  const auto events = read(body.substr(0, body.find("[]")), BodyForm::kNdjson, OnError::kAccept);
  ASSERT_TRUE(events) << events.error().message;
  EXPECT_THAT(events->faults.places(), ElementsAre(1, 2, 3));
  EXPECT_THAT(events->faults.list()[0].reason, HasSubstr("is no JSON"));
  EXPECT_THAT(events->faults.list()[2].reason, HasSubstr("there is more behind the JSON object"));
  ASSERT_EQ(events->batch.records.size(), 1u);
  EXPECT_EQ(events->batch.key(events->batch.records[0]), "a");
}

TEST_F(EventReaderTest, GoodOnesAreTakenWhereThatIsAskedFor) {
  const auto events =
      read(R"([{"domain":"a"},{"domain":5},{"domain":"c"}])", BodyForm::kJson, OnError::kAccept);
  ASSERT_TRUE(events);
  EXPECT_THAT(events->faults.places(), ElementsAre(1));
  ASSERT_EQ(events->batch.records.size(), 2u);
  EXPECT_EQ(events->batch.records[1].place, 2u);
  EXPECT_EQ(events->batch.key(events->batch.records[1]), "c");
}

TEST_F(EventReaderTest, WhatIsNoJsonIsRefusedAsAWhole) {
  for (const std::string_view body : {"{",
                                      "[",
                                      "{]",
                                      R"({"domain":"a")",
                                      R"([{"domain":"a"},])",
                                      R"({"domain":"a"} {})",
                                      R"([{"domain":"a"}] x)",
                                      R"({"domain":"a\x"})",
                                      "{\"domain\":\"a\nb\"}",
                                      "{\"domain\":\"\xff\"}",
                                      R"({"domain" "a"})",
                                      R"({"domain":"a":"b"})",
                                      R"({"domain":"a","size":01})",
                                      R"({"domain":"a","read":truth})",
                                      R"({domain:"a"})",
                                      R"({"domain":"a","more":{"x":tru}})",
                                      R"({"domain":"a","more":nul})",
                                      "7",
                                      "\"text\"",
                                      "null",
                                      "\xef\xbb\xbf{}"}) {
    for (const auto on_error : {OnError::kReject, OnError::kAccept}) {
      const auto events = read(body, BodyForm::kJson, on_error);
      ASSERT_FALSE(events) << body << "\n" << values(*events).size();
      EXPECT_EQ(events.error().fault, BodyFault::kMalformed) << body;
    }
  }
}

TEST_F(EventReaderTest, LimitsHold) {
  std::string six = "[";
  for (int i = 0; i < 6; ++i) six += R"({"domain":"a"},)";
  six.back() = ']';
  EXPECT_EQ(read(six).error().fault, BodyFault::kTooManyEvents);
  std::string lines;
  for (int i = 0; i < 6; ++i) lines += "{\"domain\":\"a\"}\n";
  EXPECT_EQ(read(lines, BodyForm::kNdjson, OnError::kAccept).error().fault,
            BodyFault::kTooManyEvents);
  EXPECT_EQ(read(lines.substr(lines.find('\n') + 1), BodyForm::kNdjson)->batch.records.size(), 5u);

  const auto large = fmt::format(R"({{"domain":"a","more":"{}"}})", std::string(500, 'x'));
  EXPECT_THAT(faults(large)[0],
              testing::MatchesRegex("0 : has [0-9]+ bytes as it would be kept: expected at most "
                                    "512"));
  const auto deep = fmt::format(R"([{{"domain":"a","more":{}{}}},{{"domain":5}}])",
                                std::string(200, '['), std::string(200, ']'));
  EXPECT_THAT(faults(deep), ElementsAre("0 more: is nested more than 64 deep",
                                        "1 domain: expected a string, found a number"));
  const auto deep_elsewhere =
      fmt::format(R"({{"domain":{}{}}})", std::string(1500, '['), std::string(1500, ']'));
  EXPECT_THAT(faults(deep_elsewhere)[0], HasSubstr("expected a string, found an array"));
}

TEST_F(EventReaderTest, FaultsAreBoundedAndPlacesAreNot) {
  auto binding = test_binding();
  binding.source.limits.events_max = 1000;
  schema_ = EventSchema(binding);
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "{\"nonsense\":1}\n";
  lines += "{\"domain\":\"a\"}\n";
  const auto accept = read(lines, BodyForm::kNdjson, OnError::kAccept);
  EXPECT_EQ(accept->faults.list().size(), Faults::kMax);
  EXPECT_EQ(accept->faults.places().size(), 300u);
  EXPECT_EQ(accept->batch.records.size(), 1u);
  const auto reject = read(lines, BodyForm::kNdjson, OnError::kReject);
  EXPECT_EQ(reject->faults.list().size(), Faults::kMax);
  EXPECT_LT(reject->faults.places().size(), 300u) << "reading goes on for nothing";
}

TEST_F(EventReaderTest, SeveralColumnsMakeARecordsKey) {
  auto binding = test_binding();
  binding.source.partition_key = {"domain", "id"};
  schema_ = EventSchema(binding);
  const auto events = read(R"({"domain":"a\"b","id":"x"})");
  EXPECT_EQ(events->batch.key(events->batch.records[0]), R"(["a\"b","x"])");
}

// The worker reads every row that is taken, and finds the key that the event had.
TEST_F(EventReaderTest, TheWorkerReadsWhatIsTaken) {
  auto binding = test_binding();
  binding.key = {"domain", "id", "size"};
  binding.source.columns[1].bytes_max = 600;
  binding.source.columns[3].required = true;
  binding.source.limits.event_bytes_max = 4096;
  schema_ = EventSchema(binding);
  model::SourceBinding source;
  source.metadata.name = binding.name;
  source.spec.key = binding.key;
  source.spec.source = binding.source;
  worker::Decoder decoder(source);
  for (const std::string& domain :
       {std::string("a"), std::string("\\u001f\\u001e"), std::string("ü\\u0000\\\"\\\\"),
        std::string("schema"), std::string(450, 'x'), std::string(506, 'x'), std::string(507, 'x'),
        std::string(508, 'x'), std::string(255, '#')}) {
    std::string escaped = domain;
    if (domain.front() == '#') {
      escaped.clear();
      for (int i = 0; i < 255; ++i) escaped += "\\u001e";
    }
    const auto events =
        read(fmt::format(R"({{"domain":"{}","id":"1","size":7,"more":[{{}}]}})", escaped));
    ASSERT_TRUE(events);
    const auto& records = events->batch.records;
    const auto decode = [&](const Batch& batch) {
      return decoder.decode(batch.key(batch.records[0]), batch.value(batch.records[0]), Offset(5),
                            1'000);
    };
    if (!records.empty()) {
      const auto row = decode(events->batch);
      ASSERT_TRUE(row) << row.error().message;
      ASSERT_TRUE((*row)->row);
      EXPECT_LE((*row)->key.size(), worker::kKeyBytesMax);
      EXPECT_EQ(*(*row)->row, events->batch.value(records[0]));
    } else {
      EXPECT_GT(domain.size(), 200u);
      EXPECT_THAT(events->faults.list()[0].reason,
                  HasSubstr("bytes with the rest of the key: expected at most 512"));
    }
  }
}

}  // namespace
}  // namespace searchsync::ingest
