#pragma once

// Random resources, for tests.

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "lib/model/resources.h"

namespace searchsync::model {

// Draws resources from a seed, that use every field and are right, as far as one alone can be.
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
  // Any text for each of a number of columns, none twice.
  std::vector<std::string> columns(size_t count) {
    std::vector<std::string> out;
    while (out.size() < count) out.push_back(column() + std::to_string(out.size()));
    return out;
  }
  ObjectMeta metadata() { return {name(), name()}; }
  // Never that of an object.
  std::string other_name() { return "other-" + name(); }

  SearchIndex index() {
    SearchIndex index{metadata(), {}};
    SearchIndexSpec& spec = index.spec;
    for (const std::string& host : names()) {
      spec.elasticsearch.urls.push_back(coin() ? "http://" + host : "https://" + host + ":9200/es");
    }
    if (coin()) spec.elasticsearch.credentials_secret_ref = SecretRef{name()};
    if (coin()) spec.elasticsearch.ca_secret_ref = SecretKeyRef{name(), name()};
    spec.kafka = kafka();
    spec.index_name = name();
    spec.shards = small(1, 5);
    spec.replicas = small(0, 5);
    spec.refresh_interval = std::chrono::milliseconds(number(100, 3'600'000));
    const bool tables = number(0, 4) == 0;
    if (tables) {
      spec.tables.emplace();
      if (coin()) spec.tables->mappings = JsonText{R"({"public.a":{"b":{"type":"keyword"}}})"};
    } else {
      spec.mappings.text = R"({"a":{},"b":{"x":[1,1.50,null,"\n"]}})";
    }
    if (coin()) spec.settings = JsonText{R"({"analysis":{}})"};
    if (!tables && coin()) {
      spec.partitioning = {.field = name(),
                           .every = static_cast<Every>(number(0, 2)),
                           .retain = std::chrono::seconds(number(3600, 100 * 86'400)),
                           .ahead = std::chrono::seconds(number(0, 30 * 86'400)),
                           .routing = coin() ? std::optional<std::string>() : name(),
                           .on_mapping_change = static_cast<OnMappingChange>(number(0, 1))};
    }
    spec.reindex.approval = coin() ? Approval::kManual : Approval::kAutomatic;
    spec.reindex.cutover = {number(0, 9), std::chrono::seconds(number(0, 86'400))};
    spec.reindex.keep_warm = std::chrono::seconds(number(0, 90 * 86'400));
    spec.reindex.revision = small(0, 9);
    if (spec.reindex.approval == Approval::kManual && coin()) spec.reindex.approved = name();
    if (coin()) spec.reindex.serve = name();
    if (!tables && coin()) {
      spec.reindex.checks = {{"some", {R"({"match_all":{}})"}, number(0, 9), {}}};
      if (coin()) spec.reindex.checks.push_back({"few", {"{}"}, number(0, 9), number(9, 99)});
    }
    spec.workers = workers();
    spec.query = query(tables);
    spec.ingest = {.replicas = small(0, 9),
                   .port = small(0, 65535),
                   .connections = small(1, 4096),
                   .deadline = std::chrono::milliseconds(number(1000, 20'000))};
    if (coin()) spec.ingest.tls_secret_ref = SecretRef{name()};
    if (coin()) spec.ingest.resources = JsonText{R"({"requests":{"cpu":1}})"};
    spec.aggregates = {.replicas = small(0, 9),
                       .memory_bytes = number(16 << 20, int64_t{1} << 40),
                       .session_timeout = std::chrono::seconds(number(1, 1800))};
    if (coin()) spec.aggregates.storage = StorageSpec{"10Gi", name()};
    if (coin()) spec.aggregates.resources = JsonText{R"({"requests":{"cpu":1}})"};
    spec.drift = coin() ? Drift::kReport : Drift::kCorrect;
    spec.adoption = coin() ? Adoption::kTakeAlias : Adoption::kRefuse;
    spec.deletion_policy = coin() ? DeletionPolicy::kDelete : DeletionPolicy::kRetain;
    spec.suspend = coin();
    return index;
  }

  QuerySpec query(bool tables) {
    QuerySpec spec = {.replicas = small(0, 9),
                      .port = small(0, 65535),
                      .filterable = !tables && coin() ? names() : std::vector<std::string>{},
                      .page_size_max = small(1, 9),
                      .timeout = std::chrono::milliseconds(number(100, 300'000))};
    if (!tables && coin()) spec.relations = {{name(), name(), name(), name()}};
    spec.related_keys_max = small(1, 60'000);
    if (!tables && coin()) spec.absent = JsonText{R"({"status":"unknown"})"};
    if (coin()) spec.keys_secret_ref = SecretRef{name()};
    if (coin()) spec.rate_limit = RateLimitSpec{small(1, 9), small(1, 9)};
    if (!tables && coin()) spec.commands = commands();
    if (!tables && coin()) {
      spec.screeners = {{.name = name(),
                         .description = column(),
                         .filter = JsonText{R"({"exists":{"field":"{{x}}"}})"},
                         .sort = {{name()}, {name(), SortOrder::kDescending}},
                         .facets = JsonText{R"({"a":{"field":"b","size":3}})"},
                         .fields = names(),
                         .size = small(0, 9)},
                        {.name = name() + "-2"}};
    }
    return spec;
  }

  CommandsSpec commands() {
    CommandsSpec spec{
        .secret_ref = {name()},
        .functions = {{.name = "do_it",
                       .function = "public.Do_it2",
                       .description = column(),
                       .arguments = {{"a", ArgumentType::kInteger, coin(), coin()},
                                     {"b", ArgumentType::kJson, false, coin()}},
                       .returns = coin() ? CommandResult::kMany : CommandResult::kNothing},
                      {.name = "_2", .function = "a.b"}},
        .connections = small(1, 100),
        .timeout = std::chrono::milliseconds(number(100, 60'000))};
    if (coin()) spec.rate_limit = RateLimitSpec{small(1, 9), small(1, 9)};
    return spec;
  }

  WorkersSpec workers() {
    WorkersSpec spec{.partitions = small(3, 9),
                     .replicas = small(0, 9),
                     .session_timeout = std::chrono::seconds(number(1, 1800)),
                     .bulk = {.documents_max = small(1, 99),
                              .bytes_max = small(1024, 9999),
                              .delay = std::chrono::milliseconds(number(0, 9999)),
                              .requests_in_flight = small(1, 9)}};
    if (coin()) {
      spec.autoscaling = {.min = small(0, 3),
                          .max = small(3, spec.partitions),
                          .target_lag = std::chrono::seconds(number(1, 99)),
                          .scale_down_after = std::chrono::seconds(number(1, 99))};
    }
    if (coin()) spec.storage = {"10Gi", coin() ? std::optional<std::string>() : name()};
    if (coin()) spec.resources = JsonText{R"({"limits":{"memory":"1Gi"}})"};
    return spec;
  }

  KafkaSpec kafka() {
    KafkaSpec spec{{}, {}, {}, small(1, 15)};
    for (const std::string& host : names()) spec.bootstrap_servers.push_back(host + ":9092");
    if (coin()) spec.credentials_secret_ref = SecretRef{name()};
    if (coin()) spec.ca_secret_ref = SecretKeyRef{name(), name()};
    return spec;
  }

  Relation relation(size_t key_size) {
    switch (number(0, 3)) {
      case 0:
        return RootRelation{};
      case 1:
        return LookupRelation{other_name(), columns(key_size),
                              coin() ? OnMissing::kNull : OnMissing::kExclude};
      case 2:
        return ChildrenRelation{
            other_name(), columns(2), name(), {{column(), Direction::kDescending}}};
      default:
        return LinkRelation{other_name(), columns(2), columns(2), name()};
    }
  }

  HttpSource http(const std::vector<std::string>& key) {
    using enum ColumnType;
    HttpSource source;
    for (const std::string& one : key) {
      source.columns.push_back(
          {.name = one, .type = coin() ? kString : kBoolean, .required = true});
    }
    source.columns.push_back({.name = "a0", .bytes_max = small(1, 9), .values = names()});
    source.columns.push_back(
        {.name = "b0", .type = kInteger, .minimum = number(-9, 0), .maximum = number(0, 9)});
    source.columns.push_back({.name = "c0", .type = kTimestamp});
    source.columns.push_back({.name = "d0", .type = coin() ? kJson : kNumber});
    source.paths = {"/" + name(), "/" + name() + "/{" + key.front() + "}"};
    if (coin()) source.event_id = "a0";
    if (coin()) source.timestamp = "c0";
    source.partition_key = source.timestamp && coin() ? std::vector<std::string>{"c0"} : key;
    if (coin()) source.tokens_secret_ref = SecretRef{name()};
    source.topic = {.name = name(), .partitions = small(1, 9)};
    if (coin()) source.topic.retention = std::chrono::seconds(number(60, 99'999));
    if (coin() && source.partition_key == key) {
      source.topic = {.name = name(), .cleanup = TopicCleanup::kCompact};
    }
    source.limits = {small(1024, 9999), small(1, 9), small(256, 9999)};
    return source;
  }

  AggregateSpec aggregate() {
    AggregateSpec aggregate;
    for (int64_t computes = number(0, 5); computes >= 0; --computes) {
      // No key is named so.
      AggregateColumn column{.name = "C" + std::to_string(computes),
                             .compute = static_cast<AggregateFunction>(computes)};
      if (column.compute != AggregateFunction::kCount) column.column = this->column();
      if (column.compute == AggregateFunction::kLast && coin()) column.by = this->column();
      if (coin()) column.where = {{this->column(), names()}};
      aggregate.columns.push_back(std::move(column));
    }
    if (coin()) {
      aggregate.derived = {
          {"status",
           {{{{"C0", number(-9, 9), {}}}, name(), coin()}, {{{"C1", {}, number(-9, 9)}}, name()}},
           name()}};
    }
    if (coin()) {
      aggregate.dedupe =
          DedupeSpec{column(), std::chrono::seconds(number(1, 9999)), number(1000, 99'999)};
    }
    aggregate.interval = std::chrono::milliseconds(number(10, 9999));
    aggregate.history = coin() ? EventHistory::kKept : EventHistory::kWhole;
    aggregate.revision = small(0, 9);
    return aggregate;
  }

  void aggregate_maybe(SourceBindingSpec& spec) {
    if (coin() || format_of(spec.source) != RecordFormat::kJson) return;
    spec.aggregate = aggregate();
    if (auto* http = std::get_if<HttpSource>(&spec.source)) {
      http->partition_key = spec.key;
      http->topic.cleanup = TopicCleanup::kDelete;
      if (spec.aggregate->dedupe) spec.aggregate->dedupe->by = http->columns.front().name;
    }
  }

  static RecordFormat format_of(const Source& source) {
    if (const auto* kafka = std::get_if<KafkaSource>(&source)) return kafka->format;
    return std::holds_alternative<HttpSource>(source) ? RecordFormat::kJson
                                                      : RecordFormat::kDebezium;
  }

  static void use_its_columns(SourceBindingSpec& spec) {
    for (FieldMapping& field : spec.fields) field.from = spec.key.front();
    if (auto* children = std::get_if<ChildrenRelation>(&spec.relation)) {
      children->from = {"a0", "b0"};
    } else if (auto* link = std::get_if<LinkRelation>(&spec.relation)) {
      link->near = {"a0", "b0"};
      link->far = {"c0", "d0"};
    }
  }

  PostgresSource postgres() {
    PostgresSource source{
        .secret_ref = {name()}, .table = name() + "." + name(), .topic_prefix = name()};
    if (coin()) source.revision = name();
    return source;
  }

  // Of all tables of a database.
  SourceBinding tables_binding() {
    SourceBinding binding{metadata(), {}};
    binding.spec.index_ref = name();
    PostgresSource source{.secret_ref = {name()}, .topic_prefix = name()};
    source.tables.emplace();
    if (coin()) source.tables->include = {"public.*", name() + ".b*"};
    if (coin()) source.tables->exclude = {name() + "." + name()};
    binding.spec.source = std::move(source);
    binding.spec.errors.max_dead_letters = number(0, 1'000'000'000);
    return binding;
  }

  SourceBinding binding() {
    if (number(0, 5) == 0) return tables_binding();
    SourceBinding binding{metadata(), {}};
    SourceBindingSpec& spec = binding.spec;
    spec.index_ref = name();
    spec.key = names();
    switch (number(0, 2)) {
      case 0:
        spec.source = postgres();
        break;
      case 1:
        spec.source = KafkaSource{name(), coin() ? RecordFormat::kJson : RecordFormat::kDebezium};
        break;
      default:
        spec.source = http(spec.key);
    }
    spec.relation = relation(spec.key.size());
    int count = 0;
    for (int64_t type = number(-1, 7); type >= 0; --type) {
      spec.fields.push_back(
          {column(), name() + std::to_string(count++), static_cast<FieldType>(type)});
    }
    if (std::holds_alternative<HttpSource>(spec.source)) use_its_columns(spec);
    aggregate_maybe(spec);
    spec.errors = {coin() ? ErrorPolicy::kHalt : ErrorPolicy::kDeadLetter,
                   number(0, 1'000'000'000)};
    return binding;
  }

 private:
  std::mt19937 random_;
};

}  // namespace searchsync::model
