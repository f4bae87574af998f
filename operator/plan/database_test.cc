#include "operator/plan/database.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

constexpr const char* kKey = "default/shop";

class Database : public testing::Test {
 protected:
  Database() {
    index_.metadata.name = "shop";
    index_.spec.index_name = "shop";
    index_.spec.elasticsearch.urls = {"http://es:9200"};
    index_.spec.kafka.bootstrap_servers = {"kafka:9092"};
    index_.spec.tables.emplace();
    observed_.resources_known = true;
    observed_.indices[kKey];
    model::SourceBinding binding;
    binding.metadata.name = "shop-db";
    binding.spec.index_ref = "shop";
    model::PostgresSource source{.secret_ref = {"db"},
                                 .table = "",
                                 .topic_prefix = "p",
                                 .tables = model::TableSelection{},
                                 .revision = ""};
    binding.spec.source = source;
    observed_.resources.indices = {index_};
    observed_.resources.bindings = {binding};
  }

  // A table, and how the plan of its index finds it.
  void add(const std::string& path, Phase phase) {
    const std::string key = "default/shop-" + path;
    observed_.tables[kKey].known = true;
    observed_.tables[kKey].kept.push_back({path, key});
    IndexPlan& plan = plans_[key];
    plan.status.index = key;
    plan.status.phase = phase;
    plan.status.conditions = {
        {"Ready", phase == Phase::kServing ? ConditionStatus::kTrue : ConditionStatus::kFalse, "",
         ""}};
    if (phase != Phase::kServing) return;
    auto& served = plan.served.emplace();
    served.index = index_;
    served.index.metadata.name = "shop-" + path;
    served.bindings = {observed_.resources.bindings.at(0)};
    served.generation = Generation(1);
    served.generation_index = IndexName("shop-" + path + "-1a2b3c4d");
    served.document_log = "searchsync.default.shop-" + path + ".log-1a2b3c4d";
  }

  // As it is planned while its engine is away.
  void lose(const std::string& path) {
    IndexPlan& plan = plans_.at("default/shop-" + path);
    plan.hold = Hold::kYes;
    plan.served.reset();
    plan.status.phase = Phase::kUnknown;
    plan.status.message = "search engine: refused";
  }

  // Of what is planned.
  void run_query() {
    const auto workload = plan().workloads.at(0);
    ObservedWorkload query{.name = workload.name, .role = Role::kQuery, .owner = kKey};
    query.hash = workload.hash;
    query.replicas = workload.replicas;
    query.processes = {{.name = workload.name, .pid = 1, .state = ProcessState::kReady}};
    observed_.workloads = {query};
  }

  IndexPlan plan() {
    TablePlans tables;
    for (const auto& [key, plan] : plans_) tables[key] = &plan;
    return plan_database(observed_, index_, tables);
  }

  static const Condition& condition(const IndexPlan& plan, std::string_view type) {
    return *std::ranges::find(plan.status.conditions, type, &Condition::type);
  }

  model::SearchIndex index_;
  Observed observed_;
  std::map<ObjectKey, IndexPlan> plans_;
};

TEST_F(Database, NothingIsStoppedWhileItsTablesAreNotKnown) {
  observed_.tables[kKey].fault = "no route to host";
  observed_.captures = {"capture-db"};
  observed_.workloads = {{.name = "capture-db", .role = Role::kCapture, .hash = "1"},
                         {.name = "query-shop", .role = Role::kQuery, .owner = kKey}};
  const auto all = plan::plan(observed_, {}, {});
  EXPECT_TRUE(all.steps.empty());
  EXPECT_EQ(all.indices.at(0).phase, Phase::kUnknown);
  EXPECT_EQ(all.indices[0].message, "the database cannot be read: no route to host");
}

TEST_F(Database, OneQueryServiceForWhatIsServed) {
  add("orders", Phase::kServing);
  add("users", Phase::kBuilding);
  const auto planned = plan();
  ASSERT_EQ(planned.workloads.size(), 1u);
  EXPECT_EQ(planned.workloads[0].name, "query-shop");
  const auto config = model::parse_query_config(planned.workloads[0].config);
  ASSERT_TRUE(config) << config.error().message;
  const auto& tables = std::get<model::DatabaseConfig>(*config).tables;
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(tables[0].name, "orders");
  EXPECT_EQ(planned.status.phase, Phase::kBuilding);
  EXPECT_EQ(planned.status.message, "not served yet: users (Building)");
  EXPECT_EQ(planned.status.tables, (TablesStatus{.kept = 2, .ready = 1, .refused = 0}));
  EXPECT_EQ(condition(planned, "Ready").status, ConditionStatus::kFalse);
}

TEST_F(Database, IsReadyWithAllThatCanBeKeptAndNamesTheRest) {
  add("orders", Phase::kServing);
  observed_.tables[kKey].refused = {{"public.log", "it has no primary key; run …"}};
  run_query();
  const auto planned = plan();
  EXPECT_TRUE(planned.steps.empty());
  EXPECT_EQ(planned.status.phase, Phase::kServing);
  EXPECT_EQ(condition(planned, "Ready").status, ConditionStatus::kTrue);
  EXPECT_EQ(planned.status.message, "not kept: public.log: it has no primary key; run …");
  // Its database is not read just now: what it had is kept, and that is said.
  observed_.tables[kKey].fault = "gone";
  EXPECT_EQ(condition(plan(), "Ready").reason, "CatalogUnknown");
}

TEST_F(Database, NothingIsStoppedWhileTheEngineIsAway) {
  model::SearchIndex child = index_;
  child.metadata.name = child.spec.index_name = "shop-orders";
  child.spec.tables.reset();
  child.spec.mappings.text = R"({"properties":{"id":{"type":"long"}}})";
  model::SourceBinding binding = observed_.resources.bindings.at(0);
  binding.spec.key = {"id"};
  binding.metadata.name = binding.spec.index_ref = "shop-orders";
  std::get<model::PostgresSource>(binding.spec.source).tables.reset();
  std::get<model::PostgresSource>(binding.spec.source).table = "public.orders";
  observed_.resources.indices.push_back(child);
  observed_.resources.bindings.push_back(binding);
  observed_.tables[kKey] = {.fault = {},
                            .known = true,
                            .kept = {{"orders", "default/shop-orders"}},
                            .refused = {},
                            .remarks = {}};
  observed_.indices["default/shop-orders"].engine_fault = "refused";
  observed_.workloads = {{.name = "query-shop", .role = Role::kQuery, .owner = kKey, .hash = "1"}};
  observed_.captures = {"capture-db"};
  const auto all = plan::plan(observed_, {}, {});
  for (const auto& step : all.steps) {
    EXPECT_FALSE(std::holds_alternative<RemoveWorkload>(step.action)) << describe(step.action);
  }
  EXPECT_EQ(all.indices.at(0).phase, Phase::kUnknown);
  EXPECT_EQ(all.indices[0].message, "not known now: orders: search engine: refused");
}

TEST_F(Database, ATableThatCannotBeLookedAtStaysInTheService) {
  add("orders", Phase::kServing);
  add("users", Phase::kServing);
  run_query();
  EXPECT_TRUE(plan().steps.empty());
  lose("orders");
  const auto held = plan();
  EXPECT_TRUE(held.steps.empty()) << describe(held.steps[0].action);
  EXPECT_EQ(held.hold, Hold::kYes);
  EXPECT_EQ(held.status.tables, (TablesStatus{.kept = 2, .ready = 1, .refused = 0}));
  EXPECT_EQ(condition(held, "Ready").status, ConditionStatus::kUnknown);
  EXPECT_EQ(condition(held, "Available").status, ConditionStatus::kTrue);
  plans_.erase("default/shop-orders");
  EXPECT_TRUE(plan().steps.empty()) << "nobody has planned it yet";
  // Where nobody answers, few are better than none.
  observed_.workloads.clear();
  ASSERT_EQ(plan().steps.size(), 1u);
}

TEST_F(Database, ATableThatNeverCouldBePlannedHoldsUpNoOther) {
  add("orders", Phase::kServing);
  run_query();
  add("users", Phase::kStalled);
  lose("users");
  plans_.at("default/shop-users").status.phase = Phase::kStalled;
  auto stuck = plan();
  EXPECT_EQ(stuck.hold, Hold::kNo);
  EXPECT_EQ(stuck.status.phase, Phase::kStalled);
  EXPECT_EQ(stuck.status.message, "not served yet: users (Stalled)");
  EXPECT_EQ(condition(stuck, "Stalled").status, ConditionStatus::kTrue);
  add("items", Phase::kServing);
  EXPECT_EQ(plan().steps.size(), 1u) << "it joins";
  plans_.at("default/shop-users").status.alias = IndexName("shop-users-1");
  EXPECT_EQ(plan().hold, Hold::kYes) << "people may read it";
  EXPECT_TRUE(plan().steps.empty());
}

TEST_F(Database, SaysWhatCouldNotBeDone) {
  add("orders", Phase::kServing);
  observed_.indices[kKey].failure =
      Failure{"run query-shop", {ErrorCode::kPermission, "forbidden"}};
  EXPECT_EQ(plan().status.message, "could not run query-shop: forbidden");
}

TEST_F(Database, AnAlteredTableHasItsCaptureLookAnew) {
  model::SearchIndex child = index_;
  child.spec.tables.reset();
  child.metadata.name = "shop-orders";
  model::SourceBinding binding;
  binding.metadata.name = "shop-orders";
  binding.spec.index_ref = "shop-orders";
  model::PostgresSource source{.secret_ref = {"db"},
                               .table = "public.orders",
                               .topic_prefix = "p",
                               .tables = std::nullopt,
                               .revision = "7"};
  binding.spec.source = source;
  observed_.resources.bindings.push_back(binding);
  // What was built before it knows nothing of it.
  std::get<model::PostgresSource>(binding.spec.source).revision.clear();
  const std::vector<model::PipelineConfig> readers = {{.index = child, .bindings = {binding}}};
  const auto captures = plan_captures(observed_, readers, Hold::kNo);
  ASSERT_EQ(captures.workloads.size(), 1u);
  const auto config = model::parse_capture_config(captures.workloads[0].config);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->tables.at(0).revision, "7");
}

}  // namespace
}  // namespace searchsync::plan
