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

TEST(Workloads, HashFollowsConfigurationReplicasAndSecrets) {
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
  all.indices[0].spec.workers.replicas = 2;
  EXPECT_NE(worker_workload(observed, config(all)).hash, before.hash);
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

  two.indices[0].spec.kafka.bootstrap_servers = {"elsewhere:9092"};
  captures.add(two.indices[0], two.bindings);
  EXPECT_EQ(captures.conflicts().size(), two.bindings.size());
  EXPECT_EQ(captures.workloads({}), workloads);
}

}  // namespace
}  // namespace searchsync::plan
