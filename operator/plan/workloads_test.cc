#include "operator/plan/workloads.h"

#include <gtest/gtest.h>

#include "lib/model/pipeline.h"
#include "operator/plan/test_resources.h"

namespace searchsync::plan {
namespace {

model::PipelineConfig config(const model::Resources& all) {
  return {.index = all.indices[0],
          .bindings = all.bindings,
          .generation = Generation(1),
          .generation_index = model::generation_index_name(all.indices[0], all.bindings),
          .document_log = model::document_log_name(all.indices[0], all.bindings)};
}

TEST(Workloads, HashFollowsWhatTheProcessesRead) {
  auto all = resources({});
  all.indices[0].spec.kafka.credentials_secret_ref = model::SecretRef{"kafka"};
  Observed observed;
  const auto before = worker_workload(observed, config(all));
  EXPECT_EQ(worker_workload(observed, config(all)), before);
  observed.secret_hashes["other"] = "1";
  EXPECT_EQ(worker_workload(observed, config(all)).hash, before.hash);
  observed.secret_hashes["kafka"] = "1";
  EXPECT_NE(worker_workload(observed, config(all)).hash, before.hash);
  observed.secret_hashes.clear();
  all.indices[0].spec.workers.bulk.documents_max = 7;
  EXPECT_NE(worker_workload(observed, config(all)).hash, before.hash);
}

TEST(Workloads, HashLeavesOutWhatTheProcessesDoNotRead) {
  auto all = resources({});
  const Observed observed;
  const auto worker = worker_workload(observed, config(all)).hash;
  const auto query = query_workload(observed, config(all)).hash;
  auto& spec = all.indices[0].spec;
  spec.replicas = 7;
  spec.refresh_interval = std::chrono::milliseconds(7'000);
  spec.reindex.keep_warm = std::chrono::seconds(7);
  spec.workers.replicas = 7;
  spec.workers.autoscaling = model::AutoscalingSpec{.max = 7};
  spec.query.replicas = 7;
  spec.suspend = true;
  EXPECT_EQ(worker_workload(observed, config(all)).hash, worker);
  EXPECT_EQ(query_workload(observed, config(all)).hash, query);
  spec.query.page_size_max = 7;
  spec.query.screeners = {{.name = "mine"}};
  EXPECT_EQ(worker_workload(observed, config(all)).hash, worker);
  EXPECT_NE(query_workload(observed, config(all)).hash, query);
  const auto generation = config(all).generation_index;
  EXPECT_EQ(generation, config(resources({})).generation_index) << "nothing is rebuilt";
}

TEST(Workloads, WhyATableIsNotCaptured) {
  const auto all = resources({});
  const auto& source = std::get<model::PostgresSource>(all.bindings[0].spec.source);
  const auto why = [&](const Observed& observed) {
    return why_not_captured(observed, all.indices[0].metadata, source);
  };
  Observed observed;
  EXPECT_EQ(why(observed), "");
  observed.workloads = {{.name = capture_name(all.indices[0].metadata, source.secret_ref),
                         .role = Role::kCapture,
                         .processes = {{.name = "capture-db-0", .state = ProcessState::kReady}}}};
  observed.secret_hashes["db"] = "1";
  EXPECT_EQ(why(observed), "");
  observed.workloads[0].processes[0].state = ProcessState::kBackoff;
  observed.workloads[0].processes[0].message = "password authentication failed";
  EXPECT_EQ(why(observed), "capture-db-0 is Backoff: password authentication failed");
  observed.secret_hashes["db"] = "";  // of a secret that does not exist
  EXPECT_EQ(why(observed), "there is no secret default/db");
}

TEST(Workloads, KeysAreForQueriesOnly) {
  auto all = resources({});
  all.indices[0].spec.query.keys_secret_ref = model::SecretRef{"keys"};
  Observed observed;
  const auto worker = worker_workload(observed, config(all));
  const auto query = query_workload(observed, config(all));
  EXPECT_TRUE(query.secrets.contains("keys"));
  EXPECT_FALSE(worker.secrets.contains("keys"));
  observed.secret_hashes["keys"] = "1";
  EXPECT_NE(query_workload(observed, config(all)).hash, query.hash);
  EXPECT_EQ(worker_workload(observed, config(all)).hash, worker.hash);
}

TEST(Workloads, TheRoleOfCommandsIsForQueriesOnly) {
  auto all = resources({});
  Observed observed;
  const auto before = worker_workload(observed, config(all));
  all.indices[0].spec.query.commands = model::CommandsSpec{
      .secret_ref = {"callers"}, .functions = {{.name = "add", .function = "shop.add"}}};
  const auto query = query_workload(observed, config(all));
  EXPECT_TRUE(query.secrets.contains("callers"));
  const auto worker = worker_workload(observed, config(all));
  EXPECT_FALSE(worker.secrets.contains("callers"));
  EXPECT_EQ(worker.hash, before.hash);
  const auto parsed = model::parse_pipeline_config(query.config);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->index.spec.query.commands, all.indices[0].spec.query.commands);
  observed.secret_hashes["callers"] = "1";
  EXPECT_NE(query_workload(observed, config(all)).hash, query.hash);
}

TEST(Workloads, QueriesKnowWhatRelationsLeadTo) {
  auto all = resources({});
  auto other = all.indices[0];
  other.metadata.name = "orders";
  other.spec.index_name = "orders-alias";
  other.spec.query.filterable = {"total"};
  all.indices[0].spec.query.relations = {{"orders", "orders", "id", "user"},
                                         {"again", "orders", "id", "payer"},
                                         {"gone", "gone", "id", "x"}};
  Observed observed;
  const auto related = [&] {
    const auto workload = query_workload(observed, config(all));
    return model::parse_pipeline_config(workload.config).value().related;
  };
  EXPECT_TRUE(related().empty()) << "it is not declared";
  observed.resources.indices = {all.indices[0], other};
  ASSERT_EQ(related().size(), 1u);
  EXPECT_EQ(related()[0].index_name, "orders-alias");
  EXPECT_EQ(related()[0].mappings, other.spec.mappings);
  EXPECT_EQ(related()[0].filterable, other.spec.query.filterable);
  const auto worker = worker_workload(observed, config(all)).hash;
  const auto query = query_workload(observed, config(all)).hash;
  observed.resources.indices[1].spec.mappings.text = R"({"properties":{"new":{"type":"long"}}})";
  EXPECT_NE(query_workload(observed, config(all)).hash, query);
  EXPECT_EQ(worker_workload(observed, config(all)).hash, worker);
  observed.resources.indices[1].spec.elasticsearch.urls = {"http://elsewhere:9200"};
  EXPECT_TRUE(related().empty()) << "it is at another engine";
}

TEST(Workloads, AFormerGenerationKeepsItsShapeAndTakesWhatIsInPlace) {
  const auto recipe = config(resources({.shape = 1}));
  auto declared = resources({.shape = 2, .replicas = 7}).indices[0];
  declared.spec.workers.partitions = 99;
  declared.spec.kafka.bootstrap_servers = {"elsewhere:9092"};
  const auto now = with_current_settings(recipe, declared);
  EXPECT_EQ(now.index.spec.mappings, recipe.index.spec.mappings);
  EXPECT_EQ(now.index.spec.workers.partitions, recipe.index.spec.workers.partitions);
  EXPECT_EQ(now.index.spec.replicas, 7);
  EXPECT_EQ(now.index.spec.kafka, declared.spec.kafka);
  EXPECT_EQ(model::generation_index_name(now.index, now.bindings), recipe.generation_index);
}

TEST(Workloads, OneCaptureADatabase) {
  const auto one = resources({});
  auto two = resources({.topology = 1});
  two.indices[0].metadata.name = "other";
  Captures captures;
  captures.add(one.indices[0], one.bindings);
  captures.add(two.indices[0], two.bindings);
  auto workloads = captures.workloads({});
  ASSERT_EQ(workloads.size(), 1u);
  EXPECT_EQ(workloads[0].name, "capture-db");
  const auto parsed = model::parse_capture_config(workloads[0].config);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->tables.size(), 4u);
  EXPECT_TRUE(captures.conflicts().empty());

  Captures of_parts;
  for (const auto& each : {one, two}) {
    const auto part = for_captures(config(each));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->index.spec.mappings, model::JsonText{}) << "more than captures read";
    of_parts.add(part->index, part->bindings);
  }
  EXPECT_EQ(of_parts.workloads({}), workloads);
  EXPECT_EQ(for_captures(model::PipelineConfig{}), std::nullopt);

  two.indices[0].spec.kafka.bootstrap_servers = {"elsewhere:9092"};
  captures.add(two.indices[0], two.bindings);
  EXPECT_EQ(captures.conflicts().size(), two.bindings.size());
  EXPECT_EQ(captures.workloads({}), workloads);
}

}  // namespace
}  // namespace searchsync::plan
