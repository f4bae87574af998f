#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "lib/model/pipeline.h"
#include "operator/plan/drift.h"
#include "operator/plan/index_planner.h"
#include "operator/plan/partitions.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

class Reporter {
 public:
  Reporter(const IndexInput& input, const Findings& findings, IndexPlan& plan)
      : in_(input), found_(findings), plan_(plan), status_(plan.status) {}

  void report() {
    status_.index = object_key(in_.index.metadata);
    status_.desired = found_.desired;
    describe_generations();
    status_.phase = phase();
    status_.message = message();
    status_.progress = progress();
    add_conditions();
    const auto& ready = status_.conditions.front();
    if (status_.phase == Phase::kServing && ready.status == ConditionStatus::kFalse &&
        found_.drift.reason.empty()) {
      status_.message = ready.message;
    }
    for (const auto& binding : in_.bindings) report_binding(binding);
  }

 private:
  bool reachable() const { return !in_.seen.engine_fault && !in_.seen.kafka_fault; }
  bool serves_what_is_declared() const {
    return found_.serving != nullptr && found_.serving == found_.target &&
           found_.serving == found_.incumbent;
  }

  const ObservedWorkload* workers(const ObservedGeneration* generation) const {
    if (generation == nullptr) return nullptr;
    return in_.observed.workload(worker_name(in_.index, generation->index, generation->generation));
  }

  void describe_generations() {
    if (found_.serving != nullptr) {
      status_.alias = found_.serving->index;
      status_.generation = found_.serving->generation;
      if (partitioning_of(*found_.serving) != nullptr) {
        status_.partitions = std::ssize(found_.serving->partitions);
      }
    }
    const auto* shown = found_.serving != nullptr ? found_.serving : found_.target;
    if (shown != nullptr) {
      const auto log = in_.seen.topics.find(shown->document_log);
      if (log != in_.seen.topics.end()) {
        status_.lag_records = lag_records(
            in_.seen.committed(model::fold_group(in_.index, shown->index), shown->document_log),
            log->second.begin, log->second.end);
      }
    }
    if (const auto* running = workers(shown)) {
      status_.lag_seconds = running->lag_seconds;
      status_.rows_per_second = running->rows_per_second;
    }
    for (const auto& [binding, count] : in_.seen.dead_letters) status_.dead_letters += count;
  }

  bool failed_for_good() const { return in_.seen.failure && !in_.seen.failure->error.retryable(); }

  Phase phase() const {
    if (!reachable()) return Phase::kUnknown;
    if (!found_.stall.reason.empty() || failed_for_good()) return Phase::kStalled;
    if (in_.index.spec.suspend) return Phase::kSuspended;
    if (serves_what_is_declared()) return Phase::kServing;
    if (!found_.pending.empty() || found_.target == nullptr) return Phase::kPending;
    if (!found_.approval.empty()) return Phase::kAwaitingApproval;
    if (!found_.checks.empty()) return Phase::kChecking;
    if (!found_.gate) return Phase::kCuttingOver;
    switch (found_.gate->waiting) {
      case GateOutcome::Waiting::kNothing:
        return Phase::kCuttingOver;
      case GateOutcome::Waiting::kSnapshot:
        return Phase::kSnapshotting;
      case GateOutcome::Waiting::kFold:
      case GateOutcome::Waiting::kWrite:
        return Phase::kBuilding;
      case GateOutcome::Waiting::kLag:
        return Phase::kCatchingUp;
    }
    return Phase::kPending;
  }

  // Desired against permitted now.
  std::string message() const {
    if (in_.seen.engine_fault) return "search engine: " + *in_.seen.engine_fault;
    if (in_.seen.kafka_fault) return "kafka: " + *in_.seen.kafka_fault;
    if (!found_.stall.reason.empty()) return found_.stall.message;
    if (in_.seen.failure) {
      return fmt::format("could not {}: {}", in_.seen.failure->step,
                         in_.seen.failure->error.message);
    }
    if (in_.index.spec.suspend) return "spec.suspend is set: nothing is read or written";
    auto halt = first_halt();
    if (!halt.empty()) return halt;
    if (found_.drift.reason == "AliasChanged") {
      const bool waits = found_.gate && found_.target == found_.incumbent;
      if (!waits) return found_.drift.message;
      return fmt::format("{} ({}: {})", found_.drift.message, found_.incumbent->index.get(),
                         found_.gate->message);
    }
    if (serves_what_is_declared()) {
      if (!found_.drift.reason.empty()) return found_.drift.message;
      return found_.retention.empty() ? found_.retiring : found_.retention;
    }
    if (!found_.pending.empty()) return found_.pending;
    if (found_.target == nullptr) return fmt::format("{} is to be created", status_.desired.get());
    if (!found_.approval.empty()) return found_.approval;
    if (!found_.checks.empty()) {
      return fmt::format("{} does not take over: {}", found_.target->index.get(), found_.checks);
    }
    if (found_.gate && !found_.gate->message.empty()) {
      return fmt::format("{} is being built{}: {}", found_.target->index.get(),
                         found_.unrenewed.empty() ? "" : fmt::format(" ({})", found_.unrenewed),
                         found_.gate->message);
    }
    return fmt::format("the alias moves to {}", found_.target->index.get());
  }

  std::string first_halt() const {
    for (const auto* running :
         {workers(found_.target), workers(found_.serving), workers(found_.incumbent),
          in_.observed.workload(aggregate_name(in_.index))}) {
      if (running == nullptr || running->halts.empty()) continue;
      const auto& [binding, why] = *running->halts.begin();
      return fmt::format("binding {} has halted: {}", binding, why);
    }
    return "";
  }

  double progress() const {
    if (serves_what_is_declared()) return 1;
    return found_.gate ? std::min(found_.gate->progress, 0.99) : 0;
  }

  void add(std::string type, ConditionStatus value, std::string reason, std::string message) {
    status_.conditions.push_back({std::move(type), value, std::move(reason), std::move(message)});
  }

  void add_conditions() {
    if (!reachable()) {
      for (const auto* type : {"Ready", "Available", "Reconciling", "Stalled", "Drifted"}) {
        add(type, ConditionStatus::kUnknown, "Unreachable", status_.message);
      }
      return;
    }
    add_ready();
    const auto* query = query_service();
    const bool drifted = !found_.drift.reason.empty();
    if (found_.serving == nullptr && drifted) {
      add("Available", ConditionStatus::kFalse, found_.drift.reason, found_.drift.message);
    } else if (found_.serving == nullptr) {
      add("Available", ConditionStatus::kFalse, "NeverServed", "the alias leads nowhere yet");
    } else if (found_.serving->closed) {
      add("Available", ConditionStatus::kFalse, "IndexClosed", closed(found_.serving->index));
    } else if (query == nullptr || !query->any_ready()) {
      add("Available", ConditionStatus::kFalse, "QueryNotReady",
          fmt::format("the alias leads to {}, but the query service is not ready",
                      found_.serving->index.get()));
    } else {
      add("Available", ConditionStatus::kTrue, "Serving",
          fmt::format("queries are answered from {}", found_.serving->index.get()));
    }
    const bool stalled = status_.phase == Phase::kStalled;
    const bool busy =
        !stalled && !in_.index.spec.suspend && (!serves_what_is_declared() || !plan_.steps.empty());
    add("Reconciling", busy ? ConditionStatus::kTrue : ConditionStatus::kFalse,
        busy ? std::string(to_string(status_.phase)) : "Settled", busy ? status_.message : "");
    add("Stalled", stalled ? ConditionStatus::kTrue : ConditionStatus::kFalse,
        !stalled ? "Progressing"
                 : (found_.stall.reason.empty() ? "StepFailed" : found_.stall.reason),
        stalled ? status_.message : "");
    add("Drifted", drifted ? ConditionStatus::kTrue : ConditionStatus::kFalse,
        drifted ? found_.drift.reason : "AsDeclared", found_.drift.message);
  }

  // Of a table: that of its database.
  const ObservedWorkload* query_service() const {
    const auto* database = in_.observed.database_of(status_.index);
    if (database == nullptr) return in_.observed.workload(query_name(in_.index));
    model::SearchIndex of_all = in_.index;
    of_all.metadata.name = database->substr(database->find('/') + 1);
    return in_.observed.workload(query_name(of_all));
  }

  void add_ready() {
    const auto* running = workers(found_.serving);
    const auto* query = query_service();
    if (!serves_what_is_declared() || in_.index.spec.suspend || status_.phase == Phase::kStalled) {
      add("Ready", ConditionStatus::kFalse, std::string(to_string(status_.phase)), status_.message);
    } else if (found_.serving->closed) {
      add("Ready", ConditionStatus::kFalse, "IndexClosed", closed(found_.serving->index));
    } else if (const auto idle = captures_not_ready(); !idle.empty()) {
      add("Ready", ConditionStatus::kFalse, "CaptureNotReady", idle);
    } else if (running != nullptr && running->replicas == 0 && in_.index.spec.workers.autoscaling) {
      add("Ready", ConditionStatus::kTrue, "Idle",
          fmt::format("{} is served; no worker runs, for nothing arrives",
                      found_.serving->index.get()));
    } else if (running == nullptr || !running->ready()) {
      add("Ready", ConditionStatus::kFalse, "WorkersNotReady",
          running == nullptr ? "no worker runs" : why_not_ready(*running));
    } else if (!first_halt().empty()) {
      add("Ready", ConditionStatus::kFalse, "BindingHalted", status_.message);
    } else if (const auto asks = query_not_ready(query); !asks.empty()) {
      add("Ready", ConditionStatus::kFalse, "QueryNotReady", asks);
    } else if (const auto reason = ingest_not_ready(); !reason.empty()) {
      add("Ready", ConditionStatus::kFalse, "IngestNotReady", reason);
    } else if (const auto waits = aggregates_not_ready(); !waits.empty()) {
      add("Ready", ConditionStatus::kFalse, "AggregatesNotReady", waits);
    } else {
      add("Ready", ConditionStatus::kTrue, "Serving",
          fmt::format("{} is served and kept equal{}", found_.serving->index.get(),
                      relations_to_nowhere()));
    }
  }

  // It is served nevertheless: two indices that refer to each other are not made at once.
  std::string relations_to_nowhere() const {
    const auto related = related_to(in_.observed, in_.index);
    const auto leads_nowhere = [&](const model::RelationSpec& relation) {
      return std::ranges::find(related, relation.index, &model::RelatedIndex::name) ==
             related.end();
    };
    const auto& relations = in_.index.spec.query.relations;
    const auto first = std::ranges::find_if(relations, leads_nowhere);
    if (first == relations.end()) return "";
    const auto others = std::ranges::count_if(relations, leads_nowhere) - 1;
    return fmt::format(
        "; relation {}{} leads nowhere: there is no SearchIndex {} in the namespace, "
        "or it is at another search engine",
        first->name, others == 0 ? "" : fmt::format(", and {} more,", others), first->index);
  }

  // Empty: the captures of all its tables are at work.
  std::string captures_not_ready() const {
    for (const auto& binding : in_.bindings) {
      const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
      if (postgres == nullptr) continue;
      auto reason = why_not_captured(in_.observed, in_.index.metadata, *postgres);
      if (!reason.empty()) return reason;
    }
    return "";
  }

  // Empty: queries are answered, as declared. While its processes are replaced, some still answer
  // as it was declared before. That of a database is replaced with each table that comes.
  std::string query_not_ready(const ObservedWorkload* query) const {
    const auto& spec = in_.index.spec.query;
    if (spec.replicas == 0) return "";
    std::set<std::string> secrets;
    if (spec.keys_secret_ref) secrets.insert(spec.keys_secret_ref->name);
    if (spec.commands) secrets.insert(spec.commands->secret_ref.name);
    auto reason = why_no_secret(in_.observed, in_.index.metadata.namespace_, secrets);
    if (!reason.empty()) return reason;
    if (query == nullptr) return "no query process is ready";
    const bool of_database = in_.observed.database_of(status_.index) != nullptr;
    return of_database && query->any_ready() ? "" : why_not_ready(*query);
  }

  // Empty: events are taken, or nobody has declared that they should be.
  std::string ingest_not_ready() const {
    const bool declared = std::ranges::any_of(in_.bindings, [](const auto& binding) {
      return std::holds_alternative<model::HttpSource>(binding.spec.source);
    });
    if (!declared || in_.index.spec.ingest.replicas == 0) return "";
    const auto* ingest = in_.observed.workload(ingest_name(in_.index));
    if (ingest == nullptr || ingest->processes.empty()) return "no ingest process runs";
    return ingest->any_ready() ? "" : why_not_ready(*ingest);
  }

  // Empty: events are aggregated, or nobody has declared that they should be.
  std::string aggregates_not_ready() const {
    const bool declared = std::ranges::any_of(
        in_.bindings, [](const auto& binding) { return binding.spec.aggregate.has_value(); });
    if (!declared || in_.index.spec.aggregates.replicas == 0) return "";
    const auto* running = in_.observed.workload(aggregate_name(in_.index));
    if (running == nullptr || running->processes.empty()) return "no process aggregates events";
    return why_not_ready(*running);
  }

  void report_binding(const model::SourceBinding& binding) {
    BindingStatus status;
    status.name = binding.metadata.name;
    status.index = status_.index;
    const auto rows = model::row_topic(binding);
    const auto events = model::source_topic(binding.spec.source);
    if (reachable()) {
      status.lag_records = lag(model::route_group(in_.index, in_.bindings), rows);
      const auto counted = lag(model::aggregate_group(rows), events);
      if (binding.spec.aggregate && status.lag_records && counted) *status.lag_records += *counted;
    }
    const auto dead = in_.seen.dead_letters.find(binding.metadata.name);
    if (dead != in_.seen.dead_letters.end()) status.dead_letters = dead->second;
    for (const auto& workload : in_.observed.workloads) {
      if (workload.owner != status_.index) continue;
      const auto halt = workload.halts.find(binding.metadata.name);
      if (halt != workload.halts.end()) {
        status.state = "Halted";
        status.message = halt->second;
      }
    }
    if (status.state.empty()) set_state(binding, status);
    plan_.bindings.push_back(std::move(status));
  }

  std::optional<int64_t> lag(const std::string& group, const std::string& topic) const {
    const auto found = in_.seen.topics.find(topic);
    if (found == in_.seen.topics.end()) return std::nullopt;
    return lag_records(in_.seen.committed(group, topic), found->second.begin, found->second.end);
  }

  // The first of its topics that does not exist; empty: all do.
  std::string missing_topic(const model::SourceBinding& binding) const {
    for (auto topic : {model::source_topic(binding.spec.source), model::row_topic(binding)}) {
      if (!in_.seen.topics.contains(topic)) return topic;
    }
    return "";
  }

  void set_state(const model::SourceBinding& binding, BindingStatus& status) {
    const auto missing = missing_topic(binding);
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    const auto idle = postgres ? why_not_captured(in_.observed, in_.index.metadata, *postgres) : "";
    if (!reachable()) {
      status.state = "Unknown";
      status.message = status_.message;
    } else if (in_.index.spec.suspend) {
      status.state = "Suspended";
    } else if (!missing.empty()) {
      status.state = "Waiting";
      const bool captured = missing == model::source_topic(binding.spec.source) && !idle.empty();
      status.message = fmt::format("topic {} does not exist yet{}{}", missing, captured ? ": " : "",
                                   captured ? idle : "");
    } else if (!idle.empty()) {
      status.state = "Waiting";
      status.message = idle;
    } else if (postgres != nullptr &&
               !snapshot_complete(in_.observed, in_.index.metadata, *postgres)) {
      status.state = "Snapshotting";
      status.message = fmt::format("table {} is not yet read to the end", postgres->table);
    } else if (const auto* http = std::get_if<model::HttpSource>(&binding.spec.source)) {
      set_state(*http, status);
    } else if (!any_worker()) {
      status.state = "Waiting";
      status.message = fmt::format("no worker runs: {}", status_.message);
    } else {
      status.state = "Running";
    }
    if (!binding.spec.aggregate || status.state != "Running") return;
    if (const auto reason = aggregates_not_ready(); !reason.empty()) {
      status.state = "Waiting";
      add_message(status, reason);
    } else if (in_.index.spec.aggregates.replicas == 0) {
      add_message(status, "spec.aggregates.replicas is 0: no events are counted");
    }
  }

  // Behind what it says already: where events are taken is of use whoever counts them.
  static void add_message(BindingStatus& status, const std::string& more) {
    if (!status.message.empty()) status.message += "; ";
    status.message += more;
  }

  bool any_worker() const {
    return std::ranges::any_of(in_.observed.workloads, [&](const auto& workload) {
      return workload.owner == status_.index && workload.role == Role::kWorker;
    });
  }

  void set_state(const model::HttpSource& http, BindingStatus& status) {
    const auto reason = ingest_not_ready();
    status.state = reason.empty() ? "Running" : "Waiting";
    status.message = reason;
    const auto* ingest = in_.observed.workload(ingest_name(in_.index));
    if (in_.index.spec.ingest.replicas == 0) {
      status.message = "spec.ingest.replicas is 0: no events are taken";
    } else if (reason.empty() && !ingest->serves.empty()) {
      status.message = fmt::format("events are taken at {}://{}{}",
                                   in_.index.spec.ingest.tls_secret_ref ? "https" : "http",
                                   ingest->serves, fmt::join(http.paths, ", "));
    }
  }

  const IndexInput& in_;
  const Findings& found_;
  IndexPlan& plan_;
  IndexStatus& status_;
};

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kUnknown:
      return "Unknown";
    case Phase::kPending:
      return "Pending";
    case Phase::kSnapshotting:
      return "Snapshotting";
    case Phase::kBuilding:
      return "Building";
    case Phase::kCatchingUp:
      return "CatchingUp";
    case Phase::kAwaitingApproval:
      return "AwaitingApproval";
    case Phase::kChecking:
      return "Checking";
    case Phase::kCuttingOver:
      return "CuttingOver";
    case Phase::kServing:
      return "Serving";
    case Phase::kSuspended:
      return "Suspended";
    case Phase::kStalled:
      return "Stalled";
    case Phase::kDeleting:
      return "Deleting";
  }
  return "";
}

std::string_view to_string(ConditionStatus status) {
  switch (status) {
    case ConditionStatus::kFalse:
      return "False";
    case ConditionStatus::kTrue:
      return "True";
    case ConditionStatus::kUnknown:
      return "Unknown";
  }
  return "";
}

void report(const IndexInput& input, const Findings& findings, IndexPlan& plan) {
  Reporter(input, findings, plan).report();
}

}  // namespace searchsync::plan
