#include "operator/cluster/index_reconciler.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/model/validate.h"
#include "operator/cluster/index_case.h"
#include "operator/cluster/names.h"
#include "operator/cluster/resource_status.h"
#include "operator/control/folder_resources.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Numbers that change all the time are written at most so often.
constexpr std::chrono::seconds kNumbersEvery{10};
// An index and its bindings are applied one after the other: what is declared counts once it has
// not changed for so long. Else a generation would be built for each of them.
constexpr std::chrono::milliseconds kSettle{1'500};
// An engine or Kafka that is away holds a deletion up for no longer.
constexpr std::chrono::minutes kDeletionWaits{10};

std::chrono::sys_seconds seconds_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Those of one object, one a line, without its name.
std::string faults_of(const std::string& object, std::span<const model::Fault> faults) {
  std::string all;
  for (auto fault : faults) {
    if (fault.object != object) continue;
    fault.object.clear();
    all += (all.empty() ? "" : "\n") + model::to_string(fault);
  }
  return all;
}

model::SourceBindingStatus status_of(const DeclaredBinding& binding) {
  return model::parse_source_binding_status(binding.status.empty() ? "{}" : binding.status)
      .value_or(model::SourceBindingStatus{});
}

control::Backends::Awake awake(std::span<const plan::ObservedWorkload> workloads) {
  const bool sleeps = std::ranges::any_of(workloads, [](const auto& workload) {
    return workload.role == plan::Role::kWorker && workload.replicas == 0;
  });
  return sleeps ? control::Backends::Awake::kNo : control::Backends::Awake::kYes;
}

bool has_root(const model::Resources& resources) {
  return std::ranges::any_of(resources.bindings, [](const auto& binding) {
    return std::holds_alternative<model::RootRelation>(binding.spec.relation);
  });
}

}  // namespace

IndexReconciler::Round IndexReconciler::run(const plan::ObjectKey& key) {
  auto declared = parts_.store.index(key);
  if (declared == nullptr) {
    parts_.metrics.forget(key);
    parts_.backends.forget(key);
    parts_.catalogs.forget(key);
    {
      const std::lock_guard lock(mutex_);
      memory_.erase(key);
    }
    if (const auto left = settles_in(key); left > left.zero()) {
      return {.gone = true, .settling = true, .look_again = left};
    }
    return {.gone = true, .failed = !report_unbound(key)};
  }
  const auto namespace_ = declared->meta.key.namespace_;
  Case index{.key = key,
             .declared = declared,
             .bindings = parts_.store.bindings(key),
             .notes = StatusNotes(parts_.store, parts_.client, declared),
             .secrets = NamespaceSecrets(parts_.secrets, namespace_),
             .observed = {}};
  return index.meta().deleted_at ? run_deleted(index) : run_declared(index);
}

std::chrono::milliseconds IndexReconciler::settles_in(const plan::ObjectKey& key) const {
  const auto edited = parts_.store.edited(key);
  if (!edited) return {};
  return std::chrono::ceil<std::chrono::milliseconds>(*edited + kSettle - Clock::now());
}

IndexReconciler::Round IndexReconciler::do_nothing(Case& index, plan::Phase phase,
                                                   std::string reason, std::string message,
                                                   std::span<const model::Fault> faults) {
  auto status = unplanned(index.key, phase, std::move(reason), std::move(message));
  const auto& former = index.notes.status();
  status.alias = former.serving;
  status.generation = former.generation;
  // What is served goes on being served.
  for (const auto& one : former.conditions) {
    if (one.type != "Available") continue;
    status.conditions.push_back({.type = one.type,
                                 .status = from_model(one.status),
                                 .reason = one.reason,
                                 .message = one.message});
  }
  Round round{.hold = plan::Hold::kYes, .look_again = policy_.look_again_idle};
  round.failed = !write_status(index, status, {});
  round.failed = !report_unplanned(index, phase, faults) || round.failed;
  // Of a table: its database must not take it for what it was before.
  if (phase == plan::Phase::kStalled) {
    plan::IndexPlan nothing;
    nothing.hold = plan::Hold::kYes;
    nothing.status = std::move(status);
    if (!nothing.status.alias) nothing.status.alias = index.notes.get(index.key).serving;
    nothing.served = remembered_service(index.key);
    round.database = remember(index, std::move(nothing));
  }
  return round;
}

// Of the bindings of an index that is not planned. Those whose rows were read go on.
bool IndexReconciler::report_unplanned(Case& index, plan::Phase phase,
                                       std::span<const model::Fault> faults) {
  bool all = true;
  for (const auto& binding : index.bindings) {
    if (!binding->resource || binding->meta.deleted_at) continue;
    auto own = faults_of(model::object_name(*binding->resource), faults);
    const auto former = status_of(*binding);
    const bool runs =
        former.state == "Running" && former.observed_generation == binding->meta.generation;
    if (own.empty() && runs) continue;
    const bool faulty = !own.empty();
    if (!faulty) {
      own = fmt::format("SearchIndex {} is {}: see its message", binding->index, to_string(phase));
    }
    all = write_binding(index.key, index.bindings,
                        {.name = binding->meta.key.name,
                         .index = index.key,
                         .lag_records = {},
                         .state = faulty ? "Invalid" : "Waiting",
                         .message = std::move(own)}) &&
          all;
  }
  return all;
}

// Of bindings whose index nobody has declared.
bool IndexReconciler::report_unbound(const plan::ObjectKey& key) {
  const auto bindings = parts_.store.bindings(key);
  bool all = true;
  for (const auto& binding : bindings) {
    if (binding->meta.deleted_at) continue;
    all = write_binding(key, bindings,
                        {.name = binding->meta.key.name,
                         .index = key,
                         .lag_records = {},
                         .state = "Waiting",
                         .message = fmt::format("there is no SearchIndex {}: create it, or correct "
                                                "spec.indexRef",
                                                key)}) &&
          all;
  }
  return all;
}

IndexReconciler::Round IndexReconciler::run_declared(Case& index) {
  if (!index.declared->resource) {
    return do_nothing(index, plan::Phase::kStalled, "InvalidResource", index.declared->fault);
  }
  const auto& spec = index.declared->resource->spec;
  // First of all: whoever asks for its data to be deleted may delete it at once. What is with
  // `tables` has no data itself.
  const bool guarded = spec.deletion_policy == model::DeletionPolicy::kDelete && !spec.tables;
  if (const auto kept = set_finalizer(index, guarded ? Finalizer::kPresent : Finalizer::kAbsent);
      !kept) {
    log::error("{}: {}", index.key, kept.error().message);
    return {.failed = true, .hold = plan::Hold::kYes, .look_again = policy_.look_again_idle};
  }
  auto& resources = index.observed.resources;
  resources.indices = {*index.declared->resource};
  for (const auto& binding : index.bindings) {
    if (!binding->resource) {
      write_binding(index.key, index.bindings,
                    {.name = binding->meta.key.name,
                     .index = index.key,
                     .lag_records = {},
                     .state = "Invalid",
                     .message = binding->fault});
      return do_nothing(
          index, plan::Phase::kStalled, "InvalidBinding",
          fmt::format("SourceBinding {}: {}", binding->meta.key.name, binding->fault));
    }
    if (!binding->meta.deleted_at) resources.bindings.push_back(*binding->resource);
  }
  if (spec.tables && resources.bindings.empty()) {
    return do_nothing(index, plan::Phase::kPending, "NoDatabase",
                      "no SourceBinding with source.postgres.tables refers to it yet");
  }
  if (!spec.tables && !has_root(resources)) {
    return do_nothing(index, plan::Phase::kPending, "NoRoot",
                      "no SourceBinding with the relation root refers to it yet");
  }
  if (const auto faults = model::validate(resources, {}); !faults.empty()) {
    return do_nothing(index, plan::Phase::kStalled, "InvalidResources", model::to_string(faults),
                      faults);
  }
  if (const auto left = settles_in(index.key); left > left.zero()) {
    return {.settling = true, .hold = plan::Hold::kYes, .look_again = left};
  }
  if (spec.tables) return run_database(index);
  parts_.catalogs.forget(index.key);
  add_related(index);
  observe(index, resources.bindings);
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  auto plan = plan::plan_index(index.observed, index.key, policy_, now);
  Round round{.readers = std::move(plan.readers), .hold = plan.hold};
  round.failed = !execute(index, plan);
  const bool written = write_status(index, plan.status, plan.bindings);
  round.failed = round.failed || !written;
  round.look_again = plan.look_again;
  round.database = remember(index, std::move(plan));
  return round;
}

// What relations lead to; without its bindings, it is nothing to plan.
void IndexReconciler::add_related(Case& index) {
  auto& indices = index.observed.resources.indices;
  for (const auto& relation : index.declared->resource->spec.query.relations) {
    const auto other = parts_.store.index(index.meta().key.namespace_ + "/" + relation.index);
    if (other != nullptr && other->resource && other != index.declared) {
      indices.push_back(*other->resource);
    }
  }
}

IndexReconciler::Round IndexReconciler::run_deleted(Case& index) {
  Round round{.look_again = policy_.look_again_busy};
  parts_.catalogs.forget(index.key);
  if (!index.meta().finalizers.contains(std::string(kFinalizer))) return round;
  const auto& resource = index.declared->resource;
  const bool remove = resource && resource->spec.deletion_policy == model::DeletionPolicy::kDelete;
  const bool done = !remove || remove_data(index);
  round.failed = !done;
  if (!done) return round;
  if (const auto dropped = set_finalizer(index, Finalizer::kAbsent); !dropped) {
    log::error("{}: {}", index.key, dropped.error().message);
    round.failed = true;
  }
  return round;
}

// True: all that was made for it is gone, or it has waited long enough.
bool IndexReconciler::remove_data(Case& index) {
  observe(index, {});
  // What the notes say of it may be from before its last edit.
  index.observed.indices[index.key].notes.declared = *index.declared->resource;
  auto plan = plan::plan_index(index.observed, index.key, policy_, {});
  // What cannot be reached is not planned. What runs for it is stopped all the same.
  const bool whole = std::ranges::any_of(plan.steps, [](const auto& step) {
    return std::holds_alternative<plan::ForgetNotes>(step.action);
  });
  if (execute(index, plan) && whole) return true;
  {
    const std::lock_guard lock(mutex_);
    if (const auto& failure = memory_[index.key].failure) {
      plan.status.message = fmt::format("could not {}: {}", failure->step, failure->error.message);
    }
  }
  if (seconds_now() - *index.meta().deleted_at > kDeletionWaits) {
    record(index, EventType::kWarning, "DataLeftBehind", "Delete", plan.status.message);
    return true;
  }
  write_status(index, plan.status, {});
  return false;
}

// The processes first: whether a snapshot is complete has to be read before everything else.
void IndexReconciler::observe(Case& index, std::span<const model::SourceBinding> bindings) {
  auto& observed = index.observed;
  observed.resources_known = true;
  const auto& resource = *index.declared->resource;
  const auto& namespace_ = index.meta().key.namespace_;
  observed.workloads = parts_.workloads.observe(namespace_, index.key);
  for (auto& capture : parts_.workloads.observe(namespace_, "")) {
    observed.workloads.push_back(std::move(capture));
  }
  if (const auto& owner = index.declared->owner; !owner.empty()) {
    const auto database = namespace_ + "/" + owner;
    observed.tables[database].kept.push_back({.path = "", .index = index.key});
    for (auto& query : parts_.workloads.observe(namespace_, database)) {
      observed.workloads.push_back(std::move(query));
    }
  }
  auto& seen = observed.indices[index.key];
  seen.notes = index.notes.get(index.key);
  seen.claims = parts_.store.claims(index.key);
  {
    const std::lock_guard lock(mutex_);
    seen.failure = memory_[index.key].failure;
  }
  const auto hashes = parts_.secrets.hashes(
      namespace_, control::secret_names(
                      {.indices = {resource}, .bindings = {bindings.begin(), bindings.end()}}));
  if (!hashes) {
    seen.engine_fault = hashes.error().message;
    return;
  }
  observed.secret_hashes = *hashes;
  parts_.backends.observe(
      {resource, index.secrets, observed.secret_hashes, awake(observed.workloads)}, bindings, seen);
}

bool IndexReconciler::execute(Case& index, const plan::IndexPlan& plan) {
  std::optional<plan::Failure> failure;
  bool stopped = false;
  for (const auto& step : plan.steps) {
    if (!parts_.may_act(index.meta().key.namespace_)) {
      stopped = true;
      break;
    }
    const auto what = plan::describe(step.action);
    if (plan::changes_world(step.action)) {
      log::info("{}: {}: {}", index.key, what, step.reason);
    }
    const auto done = execute(index, step);
    if (done) continue;
    failure = plan::Failure{what, done.error()};
    break;
  }
  const std::lock_guard lock(mutex_);
  auto& memory = memory_[index.key];
  if (failure && (!memory.failure || memory.failure->error.message != failure->error.message)) {
    log::error("{}: could not {}: {}", index.key, failure->step, failure->error.message);
  }
  memory.failure = failure;
  return !failure && !stopped;
}

Result<void> IndexReconciler::execute(Case& index, const plan::Step& step) {
  const std::vector<Owner> owners = {{index.meta().key.name, index.meta().uid}};
  if (const auto* ensure = std::get_if<plan::EnsureWorkload>(&step.action)) {
    return parts_.workloads.ensure(ensure->workload, owners);
  }
  if (const auto* remove = std::get_if<plan::RemoveWorkload>(&step.action)) {
    const auto* running = index.observed.workload(remove->name);
    if (running == nullptr) return {};
    return parts_.workloads.remove(
        {.name = remove->name, .namespace_ = index.meta().key.namespace_, .role = running->role});
  }
  RETURN_IF_ERROR(parts_.backends.execute(
      step, {*index.declared->resource, index.secrets, index.observed.secret_hashes}, index.notes));
  if (const auto* swap = std::get_if<plan::SwapAlias>(&step.action)) {
    record(index, EventType::kNormal, "AliasMoved", "SwapAlias",
           swap->from.empty() ? fmt::format("{} leads to {}", swap->alias, swap->to.get())
                              : fmt::format("{} moved from {} to {}", swap->alias,
                                            plan::names(swap->from), swap->to.get()));
  } else if (const auto* create = std::get_if<plan::CreateIndex>(&step.action)) {
    record(index, EventType::kNormal, "IndexCreated", "CreateIndex",
           fmt::format("{}: {}", create->recipe.generation_index.get(), step.reason));
  } else if (const auto* drop = std::get_if<plan::DeleteIndex>(&step.action)) {
    record(index, EventType::kNormal, "IndexDeleted", "DeleteIndex",
           fmt::format("{}: {}", drop->index.get(), step.reason));
  } else if (std::holds_alternative<plan::DropPartitions>(step.action)) {
    record(index, EventType::kNormal, "PartitionsDropped", "DropPartitions",
           fmt::format("{}: {}", plan::describe(step.action), step.reason));
  }
  return {};
}

Result<void> IndexReconciler::set_finalizer(Case& index, Finalizer wanted) {
  auto finalizers = index.meta().finalizers;
  const bool there = finalizers.contains(std::string(kFinalizer));
  if (there == (wanted == Finalizer::kPresent)) return {};
  if (there) {
    finalizers.erase(std::string(kFinalizer));
  } else {
    finalizers.insert(std::string(kFinalizer));
  }
  const json patch = {
      {"metadata",
       {{"resourceVersion", index.notes.resource_version()}, {"finalizers", finalizers}}}};
  const auto object =
      parts_.client.merge_patch(search_index_type(), index.meta().key, patch.dump());
  if (!object && there && object.error().reason == kube::ApiReason::kNotFound) return {};
  if (!object) return std::unexpected(object.error());
  parts_.store.put(search_index_type(), *object);
  index.notes.renew();
  return {};
}

void IndexReconciler::record(const Case& index, EventType event, std::string_view reason,
                             std::string_view action, std::string_view note) {
  parts_.recorder.record(search_index_type(), index.meta(), event, reason, action, note);
}

template <class Status>
bool IndexReconciler::is_due(const plan::ObjectKey& index, const std::string& binding,
                             const Status& next, const Status& former) {
  if (next == former || !parts_.may_act(parse_key(index).namespace_)) return false;
  if (!only_numbers_differ(next, former)) return true;
  const std::lock_guard lock(mutex_);
  return Clock::now() - memory_[index].written[binding] >= kNumbersEvery;
}

void IndexReconciler::written(const plan::ObjectKey& index, const std::string& binding) {
  const std::lock_guard lock(mutex_);
  memory_[index].written[binding] = Clock::now();
}

bool IndexReconciler::write_status(Case& index, const plan::IndexStatus& status,
                                   std::span<const plan::BindingStatus> bindings) {
  parts_.metrics.set(status);
  const auto former = index.notes.status();
  const auto next =
      to_status(status, index.observed.workloads, former, index.meta().generation, seconds_now());
  bool all = true;
  if (is_due(index.key, "", next, former)) {
    if (const auto done = index.notes.write(next); !done) {
      log::error("{}: status: {}", index.key, done.error().message);
      all = false;
    } else {
      written(index.key, "");
    }
    if (next.phase != former.phase) record_phase(index, status);
    record_drift(index, next, former);
  }
  for (const auto& binding : bindings) {
    all = write_binding(index.key, index.bindings, binding) && all;
  }
  return all;
}

// Of the phases that people wait for, or have to do something about.
void IndexReconciler::record_phase(const Case& index, const plan::IndexStatus& status) {
  using enum plan::Phase;
  if (status.phase == kStalled) {
    record(index, EventType::kWarning, "Stalled", "Plan", status.message);
  } else if (status.phase == kServing) {
    record(index, EventType::kNormal, "Serving", "Plan",
           status.tables
               ? fmt::format("{} tables are served", status.tables->kept)
               : fmt::format("{} is served", status.alias.value_or(status.desired).get()));
  } else if (status.phase == kUnknown) {
    record(index, EventType::kWarning, "Unreachable", "Plan", status.message);
  } else if (status.phase == kAwaitingApproval) {
    record(index, EventType::kNormal, "AwaitingApproval", "Plan", status.message);
  }
}

void IndexReconciler::record_drift(const Case& index, const model::SearchIndexStatus& next,
                                   const model::SearchIndexStatus& former) {
  static const model::Condition kNone{.status = model::ConditionStatus::kFalse};
  const auto drift = [](const model::SearchIndexStatus& status) {
    const auto found =
        std::ranges::find(status.conditions, std::string("Drifted"), &model::Condition::type);
    return found == status.conditions.end() ? kNone : *found;
  };
  const auto now = drift(next);
  const auto before = drift(former);
  if (now.status == model::ConditionStatus::kTrue) {
    if (before.status != now.status || before.message != now.message) {
      record(index, EventType::kWarning, "DriftDetected", "Plan", now.message);
    }
  } else if (now.status == model::ConditionStatus::kFalse &&
             before.status == model::ConditionStatus::kTrue) {
    record(index, EventType::kNormal, "DriftEnded", "Plan", "all is as declared");
  }
}

bool IndexReconciler::write_binding(const plan::ObjectKey& index, const Bindings& bindings,
                                    const plan::BindingStatus& status) {
  for (const auto& binding : bindings) {
    if (binding->meta.key.name != status.name) continue;
    const auto former = status_of(*binding);
    const auto next = to_status(status, former, binding->meta.generation, seconds_now());
    if (!is_due(index, status.name, next, former)) return true;
    const auto done = write_resource_status(parts_.client, source_binding_type(), binding->meta,
                                            model::to_json(next));
    if (!done) {
      if (done.error().code == ErrorCode::kNotFound) return true;
      log::error("{}: status of {}: {}", index, status.name, done.error().message);
      return false;
    }
    parts_.store.put(source_binding_type(), *done);
    written(index, status.name);
  }
  return true;
}

}  // namespace searchsync::cluster
