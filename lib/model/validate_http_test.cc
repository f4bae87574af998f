#include "lib/model/validate_http.h"

#include <gtest/gtest.h>

#include "lib/model/load.h"
#include "lib/model/pipeline.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kIndex = R"(apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata: {name: events}
spec:
  elasticsearch: {urls: ["http://es:9200"]}
  kafka: {bootstrapServers: ["kafka:9092"]}
  mappings: {dynamic: strict, properties: {id: {type: keyword}, at: {type: date}}}
)";

constexpr std::string_view kEvent = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: event}
spec:
  indexRef: {name: events}
  source:
    http:
      paths: ["/events", "/events/{domain}/{kind}"]
      columns:
        - {name: id}
        - {name: domain, required: true, bytesMax: 253}
        - {name: kind, required: true, values: [delivered, bounced]}
        - {name: size, type: Integer, minimum: 0}
        - {name: at, type: Timestamp}
        - {name: more, type: Json}
      eventId: id
      timestamp: at
      partitionKey: [domain]
  key: [id]
  relation: {root: {}}
  fields: [{from: id, to: id}, {from: at, to: at}]
)";

constexpr std::string_view kOther = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: other}
spec:
  indexRef: {name: events}
  source: {http: {paths: ["/others"], columns: [{name: id, required: true}]}}
  key: [id]
  relation: {lookup: {of: root, from: [id]}}
)";

Loaded load(std::string_view from = "", std::string_view to = "") {
  std::string text(kEvent);
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
  return load_texts({{"index.yaml", std::string(kIndex)},
                     {"event.yaml", text},
                     {"other.yaml", std::string(kOther)}});
}

TEST(ValidateHttp, TheExampleHasItsDefaults) {
  const Loaded loaded = load();
  EXPECT_EQ(to_string(loaded.faults), "");
  ASSERT_EQ(loaded.resources.bindings.size(), 2u);
  const auto& event = std::get<HttpSource>(loaded.resources.bindings[0].spec.source);
  EXPECT_EQ(event.topic.name, "searchsync.default.event.events");
  EXPECT_EQ(event.topic.cleanup, TopicCleanup::kDelete);
  EXPECT_EQ(event.topic.retention, std::nullopt);
  EXPECT_EQ(event.limits, EventLimits{});
  EXPECT_EQ(event.partition_key, std::vector<std::string>{"domain"});
  EXPECT_EQ(event.columns[1].bytes_max, 253);
  const auto& other = std::get<HttpSource>(loaded.resources.bindings[1].spec.source);
  EXPECT_EQ(other.partition_key, std::vector<std::string>{"id"});
  EXPECT_EQ(source_topic(loaded.resources.bindings[0].spec.source), event.topic.name);
  EXPECT_EQ(record_format(loaded.resources.bindings[0].spec.source), RecordFormat::kJson);
}

// One thing made wrong, and the one thing that is said about it.
struct Case {
  std::string_view from;
  std::string_view to;
  std::string fault;
};

TEST(ValidateHttp, SaysWhatIsWrong) {
  const std::string keys =
      "names a column that is not there, may be absent, or is of type Number or Json: name columns "
      "that are required, or are the eventId or timestamp";
  const std::vector<Case> cases = {
      {"eventId: id", "eventId: size",
       "eventId: names no column of type String: add that column, "
       "or name another"},
      {"eventId: id", "eventId: uuid",
       "eventId: names no column of type String: add that column, "
       "or name another"},
      {"timestamp: at", "timestamp: id",
       "timestamp: names no column of type Timestamp: add that column, or name another"},
      {"partitionKey: [domain]", "partitionKey: [size]", "partitionKey: " + keys},
      {"partitionKey: [domain]", "partitionKey: [more]", "partitionKey: " + keys},
      {"{domain}/{kind}", "{domain}/{kindd}",
       "paths[1]: spec.source.http.columns has no `kindd`, did you mean `kind`?"},
      {"{domain}/{kind}", "{more}",
       "paths[1]: `more` is of type Json, which a path cannot hold: choose another column"},
      {"{domain}/{kind}", "{domain}/{domain}",
       "paths[1]: has {domain} twice: a column has one value"},
      {"/events/{domain}/{kind}", "/others",
       "paths[0]: cannot be told from a path of SourceBinding default/event: choose another"},
      {"\"/events\",", "\"/events/{kind}/{domain}\",",
       "paths[1]: cannot be told from a path of this binding: choose another"},
      {"/events/{domain}/{kind}", "/events/",
       "paths[1]: expected a path such as /events/{domain}, of letters, digits and ._~-, with "
       "columns' names in braces, found the string \"/events/\""},
      {"{name: at, type: Timestamp}", "{name: at, type: Timestamp, bytesMax: 5}",
       "columns[4].type: has bytesMax or values, which only a String has: remove them"},
      {"{name: id}", "{name: id, minimum: 5}",
       "columns[0].type: has minimum or maximum, which only an Integer or Number has: remove them"},
      {"minimum: 0}", "minimum: 1, maximum: 0}",
       "columns[3].minimum: is more than maximum: lower it, or raise maximum"},
      {"{name: more,", "{name: schema,",
       "columns[5].name: `schema` has a meaning in records of Kafka: choose another name"},
      {"partitionKey: [domain]", "partitionKey: [domain]\n      topic: {cleanup: Compact}",
       "partitionKey: must be the binding's key with `cleanup: Compact`, which keeps one event of "
       "each: remove one of them"},
      {"partitionKey: [domain]", "topic: {cleanup: Compact, retention: 1d}",
       "topic.retention: has no meaning with `cleanup: Compact`: remove it"},
      {"partitionKey: [domain]", "topic: {name: searchsync.default.other.events}",
       "topic.name: SourceBinding default/event keeps its events in topic "
       "searchsync.default.other.events: choose another, or read that one as a `kafka` source of "
       "format Json"},
  };
  for (const auto& [from, to, expected] : cases) {
    const Loaded loaded = load(from, to);
    ASSERT_EQ(loaded.faults.size(), 1u) << to << "\n" << to_string(loaded.faults);
    const std::string said = to_string(loaded.faults[0]);
    EXPECT_NE(said.find(": spec.source.http." + expected), said.npos) << said << "\n" << expected;
  }
}

TEST(ValidateHttp, ColumnsThatOthersNeedAreThere) {
  const Loaded field = load("{from: at,", "{from: att,");
  ASSERT_EQ(field.faults.size(), 1u);
  EXPECT_EQ(to_string(field.faults[0]),
            "event.yaml:21:39: SourceBinding default/event: spec.fields[1].from: "
            "spec.source.http.columns has no `att`, did you mean `at`?");
  const Loaded key = load("key: [id]", "key: [size]");
  ASSERT_EQ(key.faults.size(), 1u);
  EXPECT_EQ(key.faults[0].path, "spec.key");
  const Loaded parent =
      load("relation: {root: {}}", "relation: {children: {from: [parent], into: at}}");
  EXPECT_NE(to_string(parent.faults)
                .find("spec.relation.children.from[0]: "
                      "spec.source.http.columns has no `parent`; known are: "),
            std::string::npos)
      << to_string(parent.faults);
}

// What an event may hold is no part of the document log: a column more rebuilds nothing.
TEST(ValidateHttp, OnlyTopicAndKeyAreOfTheTopology) {
  const Loaded before = load();
  const Loaded after = load("bytesMax: 253", "bytesMax: 99");
  const auto hash = [](const Loaded& loaded) {
    return topology_hash(loaded.resources.indices[0], loaded.resources.bindings);
  };
  EXPECT_EQ(hash(before), hash(after));
  EXPECT_NE(hash(before), hash(load("partitionKey: [domain]", "topic: {name: shop.events}")));
}

}  // namespace
}  // namespace searchsync::model
