#include "lib/model/role_config.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "lib/model/example_resources.h"
#include "lib/model/resource_schema.h"

namespace searchsync::model {
namespace {

// Draws resources that use every field, from a seed.
class Draw {
 public:
  explicit Draw(uint32_t seed) : random_(seed) {}

  int64_t number(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  int32_t small(int32_t low, int32_t high) { return static_cast<int32_t>(number(low, high)); }
  bool coin() { return number(0, 1) == 1; }
  std::string name() {
    std::string out;
    for (int64_t length = number(1, 8); length > 0; --length) {
      out += static_cast<char>('a' + number(0, 25));
    }
    return out;
  }
  // A column may have any text.
  std::string column() {
    const std::vector<std::string> odd = {"a b", "\"", "\\", "\n", "ü", "true", "5", "~", "{}"};
    return coin() ? name() : odd[static_cast<size_t>(number(0, 8))];
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (int64_t count = number(1, 3); count > 0; --count)
      out.push_back(name() + std::to_string(count));
    return out;
  }
  ObjectMeta metadata() { return {name(), name()}; }

  SearchIndex index() {
    SearchIndex index{metadata(), {}};
    SearchIndexSpec& spec = index.spec;
    spec.elasticsearch.urls = names();
    if (coin()) spec.elasticsearch.credentials_secret_ref = SecretRef{name()};
    if (coin()) spec.elasticsearch.ca_secret_ref = SecretKeyRef{name(), name()};
    spec.kafka = kafka();
    spec.index_name = name();
    spec.shards = small(1, 5);
    spec.replicas = small(0, 5);
    spec.refresh_interval = std::chrono::milliseconds(number(100, 3'600'000));
    spec.mappings.text = R"({"b":{"x":[1,1.50,null,"\n"]},"a":{}})";
    if (coin()) spec.settings = JsonText{R"({"analysis":{}})"};
    spec.reindex.approval = coin() ? Approval::kManual : Approval::kAutomatic;
    spec.reindex.cutover = {number(0, 9), std::chrono::seconds(number(0, 86'400))};
    spec.reindex.keep_warm = std::chrono::seconds(number(0, 90 * 86'400));
    spec.workers = {
        small(1, 9),
        small(0, 9),
        std::chrono::seconds(number(1, 1800)),
        {small(1, 99), small(1024, 9999), std::chrono::milliseconds(number(0, 9999)), small(1, 9)}};
    spec.query = {small(0, 9), small(0, 65535), coin() ? names() : std::vector<std::string>{},
                  small(1, 9), std::chrono::milliseconds(number(100, 300'000))};
    spec.deletion_policy = coin() ? DeletionPolicy::kDelete : DeletionPolicy::kRetain;
    spec.suspend = coin();
    return index;
  }

  KafkaSpec kafka() {
    KafkaSpec spec{names(), {}, {}, small(1, 15)};
    if (coin()) spec.credentials_secret_ref = SecretRef{name()};
    if (coin()) spec.ca_secret_ref = SecretKeyRef{name(), name()};
    return spec;
  }

  Relation relation() {
    switch (number(0, 3)) {
      case 0:
        return RootRelation{};
      case 1:
        return LookupRelation{name(), {column()}, coin() ? OnMissing::kNull : OnMissing::kExclude};
      case 2:
        return ChildrenRelation{
            name(), {column(), column()}, name(), {{column(), Direction::kDescending}}};
      default:
        return LinkRelation{name(), {column()}, {column()}, name()};
    }
  }

  SourceBinding binding() {
    SourceBinding binding{metadata(), {}};
    SourceBindingSpec& spec = binding.spec;
    spec.index_ref = name();
    if (coin()) {
      spec.source = PostgresSource{{name()}, name() + "." + name(), name()};
    } else {
      spec.source = KafkaSource{name(), coin() ? RecordFormat::kJson : RecordFormat::kDebezium};
    }
    spec.key = names();
    spec.relation = relation();
    int count = 0;
    for (int64_t type = number(-1, 7); type >= 0; --type) {
      spec.fields.push_back(
          {column(), name() + std::to_string(count++), static_cast<FieldType>(type)});
    }
    spec.errors = {coin() ? ErrorPolicy::kHalt : ErrorPolicy::kDeadLetter,
                   number(0, 1'000'000'000)};
    return binding;
  }

 private:
  std::mt19937 random_;
};

TEST(RoleConfig, WhatIsWrittenReadsTheSame) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Draw draw(seed);
    PipelineConfig config{
        draw.index(), {}, Generation(draw.small(1, 32767)), IndexName(draw.name()), draw.name()};
    for (int64_t count = draw.number(1, 3); count > 0; --count) {
      config.bindings.push_back(draw.binding());
    }
    const auto parsed = parse_pipeline_config(to_json(config));
    ASSERT_TRUE(parsed.has_value()) << "seed " << seed << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, config) << "seed " << seed << ": " << to_json(config);
    EXPECT_EQ(to_json(*parsed), to_json(config));

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
                             R"("documentLog":"searchsync.default.test-runs.log-5e6f7a8b"})"));
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
