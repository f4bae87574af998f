#include "aggregate/core/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregate/core/partitioner.h"
#include "aggregate/core/test_definition.h"

namespace searchsync::aggregate {
namespace {

using ::testing::HasSubstr;

TEST(Partitioner, ChoosesAsJavaClientsDo) {
  // Source: org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 11.
  EXPECT_EQ(partition_of_key(R"({"id":1})", 11), 4);
  EXPECT_EQ(partition_of_key("kafka", 11), 2);
  EXPECT_EQ(partition_of_key("giberish123456789", 11), 2);
  EXPECT_EQ(partition_of_key("", 11), 2);
}

// Of a topic with one partition.
struct OfOne {
  explicit OfOne(const model::AggregateSpec& spec, std::vector<std::string> key = {"domain"})
      : definition(key, key, spec), reader(definition, Partition(0), 1) {}

  Result<Event> read(std::string_view key, std::string_view value) {
    return reader.read({.key = key, .value = value});
  }
  std::string why_not(std::string_view key, std::string_view value) {
    const auto event = read(key, value);
    return event ? "it was read" : event.error().message;
  }

  const Definition definition;
  EventReader reader;
};

TEST(EventReader, TakesWhatTheConditionsSay) {
  OfOne of(domains_spec());
  const auto event =
      of.read("a.org", R"({"event":1,"domain":"a.org","type":"bounced","x":{"y":[]}})");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->group, "a.org");
  EXPECT_EQ(event->text_keys, 1u);
  EXPECT_FALSE(event->taken[0].taken);
  EXPECT_TRUE(event->taken[1].taken);
  const auto other = of.read("a.org", R"({"type":null,"domain":"a.org"})");
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->taken[0].taken || other->taken[1].taken);
  const auto escaped = of.read("a\"b", R"({ "domain" : "a\"b", "type" : "delivere\u0064" })");
  ASSERT_TRUE(escaped);
  EXPECT_TRUE(escaped->taken[0].taken);
}

TEST(EventReader, ComparesNumbersAndBooleansByTheirTexts) {
  model::AggregateSpec spec;
  spec.columns = {{.name = "n", .where = {{"code", {"200", "204"}}, {"ok", {"true"}}}}};
  OfOne of(spec);
  EXPECT_TRUE(of.read("d", R"({"domain":"d","code":204,"ok":true})")->taken[0].taken);
  EXPECT_FALSE(of.read("d", R"({"domain":"d","code":201,"ok":true})")->taken[0].taken);
  EXPECT_FALSE(of.read("d", R"({"domain":"d","code":204,"ok":false})")->taken[0].taken);
}

TEST(EventReader, JoinsTheColumnsOfAKey) {
  model::AggregateSpec spec;
  spec.columns = {{.name = "n"}};
  OfOne of(spec, {"store", "day"});
  const auto event = of.read(R"(["s\u001f1","7"])", "{\"store\":\"s\\u001f1\",\"day\":7}");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->group,
            "s\x1e\x1f"
            "1\x1f"
            "7");
  EXPECT_EQ(event->text_keys, 1u);
}

TEST(EventReader, SaysWhyItIsRefused) {
  auto spec = domains_spec();
  spec.columns.push_back(
      {.name = "sum", .compute = model::AggregateFunction::kSum, .column = "amount"});
  spec.columns.push_back(
      {.name = "last", .compute = model::AggregateFunction::kLast, .column = "type", .by = "at"});
  spec.dedupe = model::DedupeSpec{.by = "id"};
  OfOne of(spec);
  const auto event = [](std::string_view more) {
    return R"({"domain":"d","id":"1")" + std::string(more) + "}";
  };
  EXPECT_EQ(of.why_not("d", event("")), "it was read");
  EXPECT_THAT(of.why_not("d", "[]"), HasSubstr("expected a JSON object, got []"));
  EXPECT_THAT(of.why_not("d", ""), HasSubstr("got nothing"));
  EXPECT_NE(of.why_not("d", event("") + "x"), "it was read");
  EXPECT_NE(of.why_not("d", event("") + event("")), "it was read");
  EXPECT_NE(of.why_not("d", R"({"domain":"d","id":"1",)"), "it was read");
  EXPECT_THAT(of.why_not("d", R"({"id":"1"})"), HasSubstr("column domain is null or missing"));
  EXPECT_THAT(of.why_not("d", R"({"domain":{},"id":"1"})"), HasSubstr("got an object"));
  EXPECT_THAT(of.why_not("", R"({"domain":"","id":"1"})"), HasSubstr("has 0 bytes"));
  EXPECT_THAT(of.why_not("d", R"({"domain":"d"})"), HasSubstr("column id is null, missing"));
  EXPECT_THAT(of.why_not("e", event("")), HasSubstr("the record's key is e, expected d"));
  EXPECT_THAT(of.why_not("d", event(R"(,"amount":"12")")), HasSubstr("expected a number"));
  EXPECT_THAT(of.why_not("d", event(R"(,"amount":1e30)")), HasSubstr("at most 19 digits"));
  EXPECT_NE(of.why_not("d", event(R"(,"amount":01)")), "it was read");
  EXPECT_THAT(of.why_not("d", event(R"(,"type":"x","at":"yesterday")")),
              HasSubstr("expected a time as 2026-01-31T12:00:00Z, got yesterday"));
  const auto deleted = of.reader.read({.key = "d", .value = std::nullopt});
  EXPECT_THAT(deleted.error().message, HasSubstr("has no value"));
  const auto keyless = of.reader.read({.key = std::nullopt, .value = event("")});
  EXPECT_THAT(keyless.error().message, HasSubstr("the record's key is missing"));
}

TEST(EventReader, RefusesWhatIsNotInThePartitionOfItsKey) {
  const Definition definition({"domain"}, {"domain"}, domains_spec());
  const int32_t right = partition_of_key("d", 8);
  EventReader here(definition, Partition(right), 8);
  EXPECT_TRUE(here.read({.key = "d", .value = R"({"domain":"d"})"}));
  EventReader elsewhere(definition, Partition((right + 1) % 8), 8);
  const auto event = elsewhere.read({.key = "d", .value = R"({"domain":"d"})"});
  ASSERT_FALSE(event);
  EXPECT_THAT(event.error().message, HasSubstr("default partitioner (murmur2)"));
}

}  // namespace
}  // namespace searchsync::aggregate
