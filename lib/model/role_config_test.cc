#include "lib/model/role_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "lib/model/draw_resources.h"
#include "lib/model/example_resources.h"
#include "lib/model/resource_schema.h"

namespace searchsync::model {
namespace {

TEST(RoleConfig, WhatIsWrittenReadsTheSame) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Draw draw(seed);
    PipelineConfig config{
        draw.index(), {}, Generation(draw.small(1, 32767)), IndexName(draw.name()), draw.name()};
    if (draw.coin()) config.log_retention = std::chrono::seconds(draw.number(3600, 99'999));
    for (int64_t count = draw.number(1, 3); count > 0; --count) {
      config.bindings.push_back(draw.binding());
    }
    if (draw.coin()) {
      config.related.push_back(
          {draw.name(), draw.name(), {R"({"a":{}})"}, draw.names(), SecretRef{draw.name()}});
      config.related.push_back({draw.name(), draw.name(), {"{}"}, {}, std::nullopt});
    }
    const auto parsed = parse_pipeline_config(to_json(config));
    ASSERT_TRUE(parsed.has_value()) << "seed " << seed << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, config) << "seed " << seed << ": " << to_json(config);
    EXPECT_EQ(to_json(*parsed), to_json(config));

    IngestConfig ingest{draw.name(), draw.name(), draw.kafka(), draw.index().spec.ingest, {}};
    for (int64_t count = draw.number(1, 3); count > 0; --count) {
      const auto key = draw.names();
      ingest.bindings.push_back({draw.name() + std::to_string(count), key, draw.http(key)});
    }
    const auto ingested = parse_ingest_config(to_json(ingest));
    ASSERT_TRUE(ingested.has_value()) << "seed " << seed << ": " << ingested.error().message;
    EXPECT_EQ(*ingested, ingest) << "seed " << seed;

    AggregateConfig aggregate{
        draw.name(), draw.name(), draw.kafka(), draw.index().spec.aggregates, {}};
    while (aggregate.bindings.size() < 2) {
      auto one = draw.binding();
      if (one.spec.aggregate) aggregate.bindings.push_back(std::move(one));
    }
    const auto aggregated = parse_aggregate_config(to_json(aggregate));
    ASSERT_TRUE(aggregated.has_value()) << "seed " << seed << ": " << aggregated.error().message;
    EXPECT_EQ(*aggregated, aggregate) << "seed " << seed;
    aggregate.bindings[1].spec.aggregate.reset();
    EXPECT_FALSE(parse_aggregate_config(to_json(aggregate))) << "seed " << seed;

    const SearchIndex index = draw.index();
    EXPECT_EQ(parse_search_index(to_json(index)).value(), index) << "seed " << seed;
    const SourceBinding binding = draw.binding();
    EXPECT_EQ(parse_source_binding(to_json(binding)).value(), binding) << "seed " << seed;
  }
}

TEST(RoleConfig, CaptureHasTheAgreedForm) {
  const CaptureConfig config{.name = "bug-db",
                             .database = {"bug-db"},
                             .kafka = {.bootstrap_servers = {"kafka:9092"}},
                             .tables = {{"public.bugs", "bug-db.public.bugs"}}};
  const std::string json =
      R"({"name":"bug-db","namespace":"default","database":{"secretRef":{"name":"bug-db"}},)"
      R"("kafka":{"bootstrapServers":["kafka:9092"],"replicationFactor":1},)"
      R"("tables":[{"table":"public.bugs","topic":"bug-db.public.bugs"}]})";
  EXPECT_EQ(to_json(config), json);
  EXPECT_EQ(parse_capture_config(json).value(), config);
}

TEST(RoleConfig, PipelineHasTheAgreedForm) {
  const Loaded loaded = load_texts(example_texts());
  const PipelineConfig config{.index = loaded.resources.indices[0],
                              .bindings = loaded.resources.bindings,
                              .generation = Generation(1),
                              .generation_index = IndexName("test-runs-1a2b3c4d"),
                              .document_log = "searchsync.default.test-runs.log-5e6f7a8b"};
  const std::string json = to_json(config);
  EXPECT_TRUE(
      json.starts_with(R"({"index":{"apiVersion":"searchsync.io/v1alpha1","kind":"SearchIndex",)"
                       R"("metadata":{"name":"test-runs","namespace":"default"},"spec":{)"));
  EXPECT_TRUE(json.ends_with(R"(],"generation":1,"generationIndex":"test-runs-1a2b3c4d",)"
                             R"("documentLog":"searchsync.default.test-runs.log-5e6f7a8b",)"
                             R"("related":[]})"));
}

TEST(RoleConfig, EachCaptureHasASlotOfItsOwn) {
  EXPECT_EQ(slot_name({.name = "bug-db"}), "searchsync_bug_db");
  const std::string half(40, 'a');
  std::set<std::string> names;
  const std::vector<CaptureConfig> captures = {{.name = "a-b"},
                                               {.name = "a.b"},
                                               {.name = "b", .namespace_ = "a"},
                                               {.name = "b-c", .namespace_ = "a"},
                                               {.name = "c", .namespace_ = "a-b"},
                                               {.name = half + half},
                                               {.name = half + half + "b"}};
  for (const auto& capture : captures) {
    const auto name = slot_name(capture);
    EXPECT_LE(name.size(), 63u);
    EXPECT_TRUE(std::ranges::all_of(name, [](unsigned char c) {
      return std::islower(c) || std::isdigit(c) || c == '_';
    })) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), captures.size());
}

TEST(RoleConfig, SaysAllThatIsWrong) {
  EXPECT_EQ(parse_pipeline_config("{").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_capture_config(R"({"name":5,"kafka":{}})").error().message,
            "name: expected a string, found the number 5: put it in quotes\n"
            "kafka.bootstrapServers: is required: add it\n"
            "database: is required: add it\n"
            "tables: is required: add it");
}

}  // namespace
}  // namespace searchsync::model
