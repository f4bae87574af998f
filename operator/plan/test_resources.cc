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
  spec.mappings.text = fmt::format(R"({{"_meta":{{"shape":{}}}}})", declared.shape);
  spec.reindex = {.approval = declared.approval,
                  .cutover = {.max_lag_records = 5, .stable_for = seconds(5)},
                  .keep_warm = seconds(60)};
  spec.workers.partitions = 3;
  spec.suspend = declared.suspend;
  spec.deletion_policy = declared.deletion_policy;

  auto root = binding("run", "public.runs", model::RootRelation{});
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
  return all;
}

}  // namespace searchsync::plan
