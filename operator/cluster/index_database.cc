// An index with `tables`: its tables are objects of their own, and are reconciled as all indices
// are; here is what they have in common.

#include <fmt/core.h>

#include <algorithm>
#include <string>

#include "lib/model/validate.h"
#include "operator/cluster/index_case.h"
#include "operator/cluster/table_objects.h"
#include "operator/control/folder_resources.h"

namespace searchsync::cluster {
namespace {

bool is_ready(const plan::IndexPlan& plan) {
  return std::ranges::any_of(plan.status.conditions, [](const auto& condition) {
    return condition.type == "Ready" && condition.status == plan::ConditionStatus::kTrue;
  });
}

// What of that which is declared does not fit the table.
std::string find_fault(const plan::KeptTable& table) {
  const auto faults = model::validate({.indices = {table.index}, .bindings = {table.binding}}, {});
  return faults.empty() ? "" : model::to_string(faults);
}

// As far as the database's service and status follow from it.
bool same(const plan::IndexPlan& a, const plan::IndexPlan& b) {
  return a.served == b.served && a.hold == b.hold && a.status.phase == b.status.phase &&
         is_ready(a) == is_ready(b);
}

}  // namespace

IndexReconciler::Round IndexReconciler::run_database(Case& index) {
  const auto& resource = *index.declared->resource;
  const auto& namespace_ = index.meta().key.namespace_;
  const auto binding = index.observed.resources.bindings.at(0);
  const auto catalog = parts_.catalogs.find(
      index.key, std::get<model::PostgresSource>(binding.spec.source).secret_ref);
  const auto objects = find_table_objects(
      *index.declared,
      {.indices = parts_.store.all_indices(), .bindings = parts_.store.all_bindings(namespace_)});
  auto expansion = catalog.catalog
                       ? plan::expand(resource, binding, *catalog.catalog, objects.taken)
                       : remembered_expansion(objects);
  Round round;
  bool waits = false;
  // What a database has of which nothing is known stays as it is.
  if (catalog.catalog) {
    const auto changes =
        table_changes(expansion, objects, [](const auto& table) { return find_fault(table); },
                      {index.meta().key.name, index.meta().uid});
    for (const auto& fault : changes.faults) expansion.remarks.push_back(fault);
    const auto outcome =
        parts_.tables.carry_out(changes, index.meta(), [&] { return parts_.may_act(namespace_); });
    if (!outcome.problem.empty())
      expansion.remarks.insert(expansion.remarks.begin(), outcome.problem);
    round.failed = !outcome.whole;
    waits = changes.waits;
  }
  observe_database(index, expansion, catalog);
  const auto [plans, held] = table_plans(index.observed.tables.at(index.key));
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto plan = plan::plan_index(index.observed, index.key, policy_, now, plans);
  // Before its objects are as they have to be, nobody knows what nobody needs.
  round.hold = round.failed || waits ? plan::Hold::kYes : plan.hold;
  round.look_again = waits ? policy_.look_again_busy : plan.look_again;
  round.failed = !execute(index, plan) || round.failed;
  round.failed = !write_status(index, plan.status, plan.bindings) || round.failed;
  return round;
}

void IndexReconciler::observe_database(Case& index, const plan::Expansion& expansion,
                                       const Catalogs::Seen& catalog) {
  auto& observed = index.observed;
  observed.resources_known = true;
  auto& seen = observed.tables[index.key];
  seen.fault = catalog.fault;
  seen.known = catalog.catalog || !expansion.kept.empty();
  seen.remarks = expansion.remarks;
  for (const auto& [table, reason] : expansion.refused) seen.refused.push_back({table, reason});
  for (const auto& one : expansion.kept) {
    seen.kept.push_back({one.path, plan::object_key(one.index.metadata)});
    observed.resources.indices.push_back(one.index);
  }
  {
    const std::lock_guard lock(mutex_);
    observed.indices[index.key].failure = memory_[index.key].failure;
  }
  const auto& namespace_ = index.meta().key.namespace_;
  observed.workloads = parts_.workloads.observe(namespace_, index.key);
  auto hashes = parts_.secrets.hashes(namespace_, control::secret_names(observed.resources));
  if (hashes) {
    observed.secret_hashes = std::move(*hashes);
  } else {
    seen.known = false;
    seen.fault = hashes.error().message;
  }
}

IndexReconciler::HeldPlans IndexReconciler::table_plans(const plan::ObservedTables& seen) {
  static const plan::IndexPlan kNew = [] {
    plan::IndexPlan plan;
    plan.status.phase = plan::Phase::kPending;
    return plan;
  }();
  HeldPlans all;
  for (const auto& table : seen.kept) {
    std::shared_ptr<const plan::IndexPlan> known;
    {
      const std::lock_guard lock(mutex_);
      const auto found = memory_.find(table.index);
      if (found != memory_.end()) known = found->second.plan;
    }
    if (known != nullptr) {
      all.plans[table.index] = known.get();
      all.held.push_back(std::move(known));
      continue;
    }
    // One that was planned before may be in the service that runs, also if Kafka was away and its
    // status did not say so: until it has been planned again nothing is known of it.
    const auto declared = parts_.store.index(table.index);
    const auto status = model::parse_search_index_status(
        declared == nullptr || declared->status.empty() ? "{}" : declared->status);
    const bool is_new = status && !status->serving && !status->notes;
    if (is_new) all.plans[table.index] = &kNew;
  }
  return all;
}

std::optional<model::PipelineConfig> IndexReconciler::remembered_service(
    const plan::ObjectKey& key) {
  const std::lock_guard lock(mutex_);
  const auto& known = memory_[key].plan;
  return known == nullptr ? std::nullopt : known->served;
}

plan::ObjectKey IndexReconciler::remember(const Case& index, plan::IndexPlan plan) {
  if (index.declared->owner.empty()) return "";
  plan.steps.clear();
  plan.workloads.clear();
  const std::lock_guard lock(mutex_);
  auto& known = memory_[index.key].plan;
  const bool news = known == nullptr || !same(*known, plan);
  known = std::make_shared<const plan::IndexPlan>(std::move(plan));
  return news ? index.meta().key.namespace_ + "/" + index.declared->owner : "";
}

void IndexReconciler::forget_plans() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, memory] : memory_) memory.plan.reset();
}

}  // namespace searchsync::cluster
