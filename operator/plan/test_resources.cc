#include "operator/plan/test_resources.h"

#include <fmt/core.h>

namespace searchsync::plan {
namespace {

model::SourceBinding binding(std::string name, std::string table, model::Relation relation) {
  model::SourceBinding result;
  result.spec.fields = {{.from = "name", .to = name + "Name"}};
  result.metadata.name = std::move(name);
  result.spec.index_ref = "test-runs";
  result.spec.source = model::PostgresSource{
      .secret_ref = {.name = "db"}, .table = std::move(table), .topic_prefix = "db"};
  result.spec.key = {"id"};
  result.spec.relation = std::move(relation);
  return result;
}

model::SourceBinding counted(const Declared& declared) {
  auto visit = binding("visit", "", model::LookupRelation{.of = "root", .from = {"run_key"}});
  visit.spec.source =
      model::KafkaSource{.topic = kCountedTopic, .format = model::RecordFormat::kJson};
  if (declared.counts_http) {
    model::HttpSource http{.paths = {"/visits"},
                           .columns = {{.name = visit.spec.key.at(0), .required = true}},
                           .partition_key = visit.spec.key};
    http.topic.name = kCountedEventTopic;
    http.topic.partitions = 1;
    visit.spec.source = std::move(http);
  }
  visit.spec.aggregate =
      model::AggregateSpec{.columns = {{.name = "visits"}}, .revision = declared.counts};
  visit.spec.fields = {{.from = "visits", .to = "visits"}};
  return visit;
}

std::string mappings(const Declared& declared) {
  std::string properties;
  for (int i = 0; i < declared.fields; ++i) {
    properties += fmt::format(R"({}"more{}":{{"type":"keyword"}})", i > 0 ? "," : "", i);
  }
  return fmt::format(R"({{"_meta":{{"shape":{}}},"dynamic":"strict","properties":{{{}}}}})",
                     declared.shape, properties);
}

}  // namespace

model::Resources resources(const Declared& declared) {
  using std::chrono::seconds;
  model::SearchIndex index;
  index.metadata.name = "test-runs";
  auto& spec = index.spec;
  spec.elasticsearch.urls = {"http://es:9200"};
  spec.kafka.bootstrap_servers = {"kafka:9092"};
  spec.index_name = "runs";
  spec.replicas = declared.replicas;
  spec.mappings.text = mappings(declared);
  spec.reindex = {.approval = declared.approval,
                  .cutover = {.max_lag_records = 5, .stable_for = seconds(5)},
                  .keep_warm = seconds(60)};
  spec.reindex.approved = declared.approved;
  spec.reindex.serve = declared.serve;
  if (declared.hits_min > 0) {
    spec.reindex.checks = {
        {.name = "some", .query = {R"({"match_all":{}})"}, .hits_min = declared.hits_min}};
  }
  if (declared.hours > 0) {
    spec.partitioning = {.field = "runName",
                         .every = model::Every::kHour,
                         .retain = std::chrono::hours(declared.hours),
                         .ahead = std::chrono::hours(2),
                         .on_mapping_change = declared.on_mapping_change};
  }
  spec.workers.partitions = 3;
  if (declared.autoscaling) {
    spec.workers.autoscaling = {
        .min = 0, .max = 2, .target_lag = seconds(1), .scale_down_after = seconds(10)};
  }
  spec.ingest.replicas = declared.ingest_replicas;
  spec.suspend = declared.suspend;
  spec.drift = declared.drift;
  spec.adoption = declared.adoption;
  spec.deletion_policy = declared.deletion_policy;

  auto root = binding("run", "public.runs", model::RootRelation{});
  for (int i = 0; i < declared.fields; ++i) {
    const auto name = fmt::format("more{}", i);
    root.spec.fields.push_back({.from = name, .to = name});
  }
  auto owner =
      binding("owner", "public.owners", model::LookupRelation{.of = "root", .from = {"owner_id"}});
  auto team =
      binding("team", "public.teams", model::LookupRelation{.of = "owner", .from = {"team_id"}});
  model::Resources all{.indices = {index}, .bindings = {owner, root, team}};
  if (declared.topology > 0) {
    all.bindings.push_back(binding(
        "bug", "public.bugs",
        model::ChildrenRelation{
            .of = "root", .from = {fmt::format("run_{}", declared.topology)}, .into = "bugs"}));
  }
  if (declared.events) {
    auto click = binding(
        "click", "", model::ChildrenRelation{.of = "root", .from = {"run_id"}, .into = "clicks"});
    model::HttpSource http{
        .paths = {"/clicks", "/runs/{run_id}/clicks"},
        .columns = {{.name = "id"}, {.name = "run_id", .required = true}, {.name = "name"}},
        .event_id = "id",
        .partition_key = {"run_id"}};
    http.topic.name = kEventTopic;
    click.spec.source = std::move(http);
    all.bindings.insert(all.bindings.begin(), click);
  }
  if (declared.counts > 0) all.bindings.push_back(counted(declared));
  return all;
}

}  // namespace searchsync::plan
