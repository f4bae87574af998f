#include <fmt/core.h>
#include <gtest/gtest.h>

#include "lib/model/load.h"
#include "lib/model/pipeline.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kIndex = R"(apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata: {name: domains}
spec:
  elasticsearch: {urls: ["http://es:9200"]}
  kafka: {bootstrapServers: ["kafka:9092"]}
  mappings: {properties: {domain: {type: keyword}, status: {type: keyword}}}
)";

constexpr std::string_view kDomain = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: domain}
spec:
  indexRef: {name: domains}
  source:
    http:
      paths: ["/events/{domain}/{type}"]
      columns:
        - {name: domain, required: true}
        - {name: type, required: true}
        - {name: event_id}
        - {name: at, type: Timestamp}
        - {name: size, type: Integer}
      eventId: event_id
      timestamp: at
  aggregate:
    columns:
      - {name: delivered, where: [{column: type, values: [delivered]}]}
      - {name: bounced, compute: Count, where: [{column: type, values: [bounced]}]}
      - {name: bytes, compute: Sum, column: size}
      - {name: last_at, compute: Last, column: at, by: at}
    derived:
      - name: status
        rules:
          - {when: [{column: bounced, min: 1}], value: not-catch-all, sticks: true}
          - {when: [{column: delivered, min: 1001}, {column: bounced, max: 0}], value: catch-all}
        otherwise: unknown
    dedupe: {by: event_id, window: 5m}
  key: [domain]
  relation: {root: {}}
  fields: [{from: domain, to: domain}, {from: status, to: status}]
)";

Loaded load(std::string_view from = "", std::string_view to = "") {
  std::string text(kDomain);
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
  return load_texts({{"index.yaml", std::string(kIndex)}, {"domain.yaml", text}});
}

TEST(ValidateAggregate, TheExampleHasItsDefaults) {
  const Loaded loaded = load();
  EXPECT_EQ(to_string(loaded.faults), "");
  ASSERT_EQ(loaded.resources.bindings.size(), 1u);
  const auto& aggregate = loaded.resources.bindings[0].spec.aggregate;
  ASSERT_TRUE(aggregate);
  EXPECT_EQ(aggregate->columns[0].compute, AggregateFunction::kCount);
  EXPECT_EQ(aggregate->derived[0].rules[1].when[1], (RuleCondition{"bounced", {}, 0}));
  EXPECT_EQ(aggregate->interval, std::chrono::seconds(1));
  EXPECT_EQ(aggregate->history, EventHistory::kWhole);
  EXPECT_EQ(aggregate->dedupe->ids_max, 1'000'000);
}

TEST(ValidateAggregate, SaysWhatIsWrong) {
  struct Case {
    std::string_view from, to, fault;
  };
  const Case kCases[] = {
      {"column: size", "column: sise",
       "spec.aggregate.columns[2].column: spec.source.http.columns has no `sise`, did you mean "
       "`size`?"},
      {"by: at", "by: when",
       "spec.aggregate.columns[3].by: spec.source.http.columns has no `when`"},
      {"{column: type, values: [bounced]}", "{column: kind, values: [bounced]}",
       "spec.aggregate.columns[1].where[0].column: spec.source.http.columns has no `kind`"},
      {"dedupe: {by: event_id", "dedupe: {by: id",
       "spec.aggregate.dedupe.by: spec.source.http.columns has no `id`"},
      {"[{column: bounced, min: 1}]", "[{column: last_at, min: 1}]",
       "spec.aggregate.derived[0].rules[0].when[0].column: Count and Sum have no `last_at`; known "
       "are: delivered, bounced, bytes"},
      {"[{column: bounced, min: 1}]", "[{column: bounced}]", "has neither min nor max"},
      {"name: status", "name: bounced",
       "spec.aggregate.derived[0].name: `bounced` is the name of another column of the row"},
      {"{name: bytes,", "{name: domain,",
       "spec.aggregate.columns[2].name: `domain` is the name of"},
      {"compute: Sum, column: size", "compute: Sum", "all but Count are computed of a column"},
      {"compute: Sum, column: size", "column: size", "all but Count are computed of a column"},
      {"compute: Sum, column: size", "compute: Sum, column: size, by: at",
       "spec.aggregate.columns[2].by: has no meaning without First or Last"},
      {"compute: Sum", "compute: Average", "expected one of Count, Sum, Min, Max, First, Last"},
      {"{from: status, to: status}", "{from: type, to: status}",
       "spec.fields[1].from: the row has no `type`"},
      {"window: 5m", "window: 8d", "8d is out of range: expected between 1s and 7d"},
      {"      timestamp: at", "      timestamp: at\n      topic: {cleanup: Compact}",
       "spec.source.http.topic.cleanup: must not be Compact"},
      {"      timestamp: at", "      timestamp: at\n      partitionKey: [type]",
       "spec.source.http.partitionKey: has a column that is not in the key"},
      {"relation: {root: {}}", "relation: {children: {from: [type], into: domains}}",
       "spec.relation.children.from[0]: the row has no `type`"},
  };
  for (const auto& [from, to, fault] : kCases) {
    const auto faults = to_string(load(from, to).faults);
    EXPECT_NE(faults.find(fault), faults.npos) << from << " -> " << to << "\n" << faults;
  }
}

TEST(ValidateAggregate, NeedsEvents) {
  std::string text(kDomain);
  const size_t begin = text.find("    http:"), end = text.find("  aggregate:");
  const auto with = [&](std::string_view source) {
    std::string changed = text;
    changed.replace(begin, end - begin, source);
    return load_texts({{"index.yaml", std::string(kIndex)}, {"domain.yaml", changed}});
  };
  EXPECT_EQ(to_string(with("    kafka: {topic: events, format: Json}\n").faults), "");
  for (const auto* source : {"    kafka: {topic: events}\n",
                             "    postgres: {secretRef: {name: db}, table: public.events}\n"}) {
    const auto faults = to_string(with(source).faults);
    EXPECT_NE(faults.find("spec.aggregate: needs events"), faults.npos) << faults;
  }
}

TEST(AggregatePipeline, TheRowsAreInATableOfTheirOwn) {
  const auto original = load().resources;
  const auto& binding = original.bindings[0];
  EXPECT_EQ(source_topic(binding.spec.source), "searchsync.default.domain.events");
  const auto table = row_topic(binding);
  EXPECT_TRUE(table.starts_with("searchsync.default.domains.table-domain-")) << table;
  EXPECT_EQ(row_format(binding), RecordFormat::kJson);
  // What decides its content is in its name; what does not is not.
  const std::pair<const char*, const char*> kSame[] = {
      {"window: 5m}", "window: 5m, idsMax: 2000}"},
      {"    dedupe:", "    interval: 2s\n    dedupe:"},
      {"    dedupe:", "    history: Kept\n    dedupe:"},
      {"to: status}", "to: s}"}};
  for (const auto& [from, to] : kSame) {
    EXPECT_EQ(row_topic(load(from, to).resources.bindings.at(0)), table) << to;
  }
  const std::pair<const char*, const char*> kOther[] = {
      {"values: [delivered]", "values: [opened]"},
      {"min: 1001", "min: 1000"},
      {"window: 5m", "window: 6m"},
      {"    dedupe:", "    revision: 1\n    dedupe:"},
      {"sticks: true", "sticks: false"},
      {"otherwise: unknown", "otherwise: none"},
      {"compute: Sum", "compute: Max"},
      {"column: at, by: at", "column: at"}};
  for (const auto& [from, to] : kOther) {
    const auto changed = load(from, to).resources;
    EXPECT_NE(row_topic(changed.bindings.at(0)), table) << to;
    EXPECT_NE(topology_hash(changed.indices[0], changed.bindings),
              topology_hash(original.indices[0], original.bindings))
        << to;
  }
}

TEST(ValidateAggregate, IdsAreFoundAgainInTheEvents) {
  const auto faults = [](std::string_view retention) {
    return load("      eventId: event_id\n",
                fmt::format("      topic: {{cleanup: Delete, retention: {}}}\n"
                            "      eventId: event_id\n",
                            retention))
        .faults;
  };
  EXPECT_TRUE(faults("5m").empty()) << to_string(faults("5m"));
  ASSERT_EQ(faults("4m").size(), 1u);
  EXPECT_EQ(faults("4m")[0].path, "spec.source.http.topic.retention");
}

}  // namespace
}  // namespace searchsync::model
