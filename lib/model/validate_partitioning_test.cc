#include <gtest/gtest.h>

#include <string>

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
  mappings:
    dynamic: false
    properties:
      at: {type: date}
      user: {type: keyword}
      shop: {properties: {opened: {type: date}, closed: {type: date, format: yyyy}}}
  partitioning: {field: at, retain: 30d}
)";

constexpr std::string_view kBindings = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: event}
spec:
  indexRef: {name: events}
  source: {kafka: {topic: events}}
  key: [id]
  relation: {root: {}}
  fields:
    - {from: at, to: at}
    - {from: user, to: user}
    - {from: shop, to: shop.id}
    - {from: open, to: shop.opened}
    - {from: closed, to: shop.closed}
    - {from: other, to: other}
---
apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: shop}
spec:
  indexRef: {name: events}
  source: {kafka: {topic: shops}}
  key: [id]
  relation: {lookup: {of: root, from: [shop]}}
  fields: [{from: name, to: shop.name}]
)";

Loaded load(const std::string& partitioning) {
  std::string index(kIndex);
  const std::string usual = "{field: at, retain: 30d}";
  index.replace(index.find(usual), usual.size(), partitioning);
  return load_texts({{"index.yaml", index}, {"bindings.yaml", std::string(kBindings)}});
}

TEST(ValidatePartitioning, SaysWhatIsWrong) {
  const struct {
    std::string partitioning;
    std::string fault;
  } kCases[] = {
      {"{field: at, retain: 30d}", ""},
      {"{field: shop.opened, every: Hour, retain: 100d, ahead: 0s, routing: user}", ""},
      {"{field: at, every: Month, retain: 3650d, ahead: 30d, routing: shop.id}", ""},
      {"{retain: 30d}", "spec.partitioning.field: is required"},
      {"{field: at}", "spec.partitioning.retain: is required"},
      {"{field: at, retain: 59m}", "retain: 59m is out of range: expected between 1h and 3650d"},
      {"{field: at, retain: 30d, every: Week}",
       "every: expected one of Hour, Day, Month, found the string \"Week\""},
      {"{field: at, retain: 30d, ahead: 31d}", "ahead: 31d is out of range"},
      {"{field: at, every: Hour, retain: 101d}",
       "retain: is more than 100d, which is too many indices of an hour: keep less, or choose "
       "`every: Day`"},
      {"{field: ad, retain: 30d}",
       "spec.partitioning.field: `ad` is no field that SourceBinding default/event fills: where a "
       "document is must come from its root's own row, did you mean `at`?"},
      {"{field: at, retain: 30d, routing: shop.name}",
       "spec.partitioning.routing: `shop.name` is no field that SourceBinding default/event fills"},
      {"{field: user, retain: 30d}",
       "spec.partitioning.field: the mappings have a keyword at `user`: only a date has a time"},
      {"{field: shop.closed, retain: 30d}",
       "spec.partitioning.field: `shop.closed` has a format of its own: take `format` away"},
      {"{field: other, retain: 30d}",
       "spec.partitioning.field: the mappings do not say what `other` is: map it as a date"},
  };
  for (const auto& [partitioning, fault] : kCases) {
    const auto faults = to_string(load(partitioning).faults);
    if (fault.empty()) {
      EXPECT_EQ(faults, "") << partitioning;
    } else {
      EXPECT_NE(faults.find(fault), std::string::npos) << partitioning << "\n" << faults;
    }
  }
}

std::string hash(const std::string& partitioning) {
  const auto loaded = load(partitioning);
  return generation_hash(loaded.resources.indices.at(0), loaded.resources.bindings);
}

TEST(ValidatePartitioning, OnlyTheRetentionChangesInPlace) {
  const auto usual = hash("{field: at, retain: 30d}");
  EXPECT_EQ(usual, hash("{field: at, retain: 31d, every: Day, ahead: 1d}"));
  for (const auto* other :
       {"{field: shop.opened, retain: 30d}", "{field: at, retain: 30d, every: Hour}",
        "{field: at, retain: 30d, ahead: 2d}", "{field: at, retain: 30d, routing: user}"}) {
    EXPECT_NE(usual, hash(other)) << other;
  }
}

TEST(ValidatePartitioning, WhatAChangeComesToIsNoChange) {
  EXPECT_EQ(hash("{field: at, retain: 30d}"),
            hash("{field: at, retain: 30d, onMappingChange: NewPartitions}"));
}

TEST(ValidatePartitioning, MappingsSettingsAndFieldsDoNotLast) {
  const auto before = load("{field: at, retain: 30d}").resources;
  const auto lasting = [](const Resources& all) {
    return lasting_hash(all.indices.at(0), all.bindings);
  };
  auto now = before;
  now.indices[0].spec.mappings.text = "{}";
  now.indices[0].spec.settings = JsonText{R"({"index.codec":"default"})"};
  now.indices[0].spec.partitioning->retain = std::chrono::hours(9);
  now.bindings[1].spec.fields.pop_back();
  EXPECT_EQ(lasting(before), lasting(now));
  const auto expect_other = [&](auto change) {
    auto other = before;
    change(other);
    EXPECT_NE(lasting(before), lasting(other));
  };
  expect_other([](Resources& all) { all.indices[0].spec.shards = 2; });
  expect_other([](Resources& all) { all.indices[0].spec.reindex.revision = 1; });
  expect_other([](Resources& all) { all.indices[0].spec.workers.partitions = 3; });
  expect_other([](Resources& all) { all.indices[0].spec.partitioning.reset(); });
  expect_other([](Resources& all) { all.indices[0].spec.partitioning->every = Every::kHour; });
  expect_other([](Resources& all) { all.bindings.pop_back(); });
  expect_other([](Resources& all) { all.bindings[0].spec.key = {"other"}; });
  expect_other([](Resources& all) { all.bindings[0].spec.fields[0].from = "later"; });
  expect_other([](Resources& all) {
    std::get<LookupRelation>(all.bindings[1].spec.relation).on_missing = OnMissing::kExclude;
  });
}

TEST(ValidatePartitioning, RowsAreKeptByTheirSlots) {
  const auto before = load("{field: at, retain: 30d}").resources;
  const auto slots = [](const Resources& all) {
    return slots_hash(compile(all.indices.at(0), all.bindings).value());
  };
  auto now = before;
  now.bindings[0].spec.fields.push_back({.from = "user", .to = "who"});
  EXPECT_EQ(slots(before), slots(now)) << "its column is kept already";
  now.bindings[0].spec.fields.push_back({.from = "more", .to = "more"});
  EXPECT_NE(slots(before), slots(now));
  now = before;
  now.bindings[0].spec.fields.back().type = FieldType::kString;
  EXPECT_NE(slots(before), slots(now));
}

}  // namespace
}  // namespace searchsync::model
