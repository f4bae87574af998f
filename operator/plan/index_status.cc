#include <fmt/core.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/index_planner.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

class Reporter {
 public:
  Reporter(const IndexInput& input, const Findings& findings, IndexPlan& plan)
      : in_(input), found_(findings), plan_(plan), status_(plan.status) {}

  void report() {
    status_.index = object_key(in_.index.metadata);
    status_.desired = model::generation_index_name(in_.index, in_.bindings);
    describe_generations();
    status_.phase = phase();
    status_.message = message();
    status_.progress = progress();
    add_conditions();
    for (const auto& binding : in_.bindings) report_binding(binding);
  }

 private:
  bool reachable() const { return !in_.seen.engine_fault && !in_.seen.kafka_fault; }
  bool serves_what_is_declared() const {
    return found_.serving != nullptr && found_.serving == found_.target;
  }

  const ObservedWorkload* workers(const ObservedGeneration* generation) const {
    if (generation == nullptr) return nullptr;
    return in_.observed.workload(worker_name(in_.index, generation->index, generation->generation));
  }

  void describe_generations() {
    if (found_.serving != nullptr) {
      status_.alias = found_.serving->index;
      status_.generation = found_.serving->generation;
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
    for (const auto& workload : in_.observed.workloads) {
      if (workload.owner != status_.index || workload.role != Role::kWorker) continue;
      for (const auto& [binding, count] : workload.dead_letters) status_.dead_letters += count;
    }
    // The topic remembers what the processes forget when they end.
    const auto topic = in_.seen.topics.find(model::dead_letter_topic(in_.index));
    if (topic != in_.seen.topics.end()) {
      status_.dead_letters = lag_records({}, topic->second.begin, topic->second.end);
    }
  }

  bool failed_for_good() const { return in_.seen.failure && !in_.seen.failure->error.retryable(); }

  Phase phase() const {
    if (!reachable()) return Phase::kUnknown;
    if (!found_.stall.reason.empty() || failed_for_good()) return Phase::kStalled;
    if (in_.index.spec.suspend) return Phase::kSuspended;
    if (serves_what_is_declared()) return Phase::kServing;
    if (!found_.pending.empty() || found_.target == nullptr) return Phase::kPending;
    if (!found_.approval.empty()) return Phase::kAwaitingApproval;
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
    if (serves_what_is_declared()) return halt.empty() ? found_.retiring : halt;
    if (!halt.empty()) return halt;
    if (!found_.pending.empty()) return found_.pending;
    if (found_.target == nullptr) return fmt::format("{} is to be created", status_.desired.get());
    if (!found_.approval.empty()) return found_.approval;
    if (found_.gate && !found_.gate->message.empty()) {
      return fmt::format("{} is being built: {}", found_.target->index.get(), found_.gate->message);
    }
    return fmt::format("the alias moves to {}", found_.target->index.get());
  }

  std::string first_halt() const {
    for (const auto* generation : {found_.target, found_.serving}) {
      const auto* running = workers(generation);
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
      for (const auto* type : {"Ready", "Available", "Reconciling", "Stalled"}) {
        add(type, ConditionStatus::kUnknown, "Unreachable", status_.message);
      }
      return;
    }
    add_ready();
    const auto* query = in_.observed.workload(query_name(in_.index));
    if (found_.serving == nullptr) {
      add("Available", ConditionStatus::kFalse, "NeverServed", "the alias leads nowhere yet");
    } else if (query == nullptr || !query->ready()) {
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
  }

  void add_ready() {
    const auto* running = workers(found_.serving);
    if (!serves_what_is_declared() || in_.index.spec.suspend || status_.phase == Phase::kStalled) {
      add("Ready", ConditionStatus::kFalse, std::string(to_string(status_.phase)), status_.message);
    } else if (running == nullptr || !running->ready()) {
      add("Ready", ConditionStatus::kFalse, "WorkersNotReady", not_ready_reason(running));
    } else if (!running->halts.empty()) {
      add("Ready", ConditionStatus::kFalse, "BindingHalted", status_.message);
    } else {
      add("Ready", ConditionStatus::kTrue, "Serving",
          fmt::format("{} is served and kept equal", found_.serving->index.get()));
    }
  }

  static std::string not_ready_reason(const ObservedWorkload* running) {
    if (running == nullptr || running->processes.empty()) return "no worker runs";
    for (const auto& process : running->processes) {
      if (process.state != ProcessState::kReady) {
        return fmt::format("{} is {}: {}", process.name, to_string(process.state), process.message);
      }
    }
    return "";
  }

  void report_binding(const model::SourceBinding& binding) {
    BindingStatus status;
    status.name = binding.metadata.name;
    status.index = status_.index;
    const auto topic = model::source_topic(binding.spec.source);
    const auto found = in_.seen.topics.find(topic);
    if (reachable() && found != in_.seen.topics.end()) {
      status.lag_records =
          lag_records(in_.seen.committed(model::route_group(in_.index, in_.bindings), topic),
                      found->second.begin, found->second.end);
    }
    for (const auto& workload : in_.observed.workloads) {
      if (workload.owner != status_.index) continue;
      const auto count = workload.dead_letters.find(binding.metadata.name);
      if (count != workload.dead_letters.end()) status.dead_letters += count->second;
      const auto halt = workload.halts.find(binding.metadata.name);
      if (halt != workload.halts.end()) {
        status.state = "Halted";
        status.message = halt->second;
      }
    }
    if (status.state.empty()) set_state(binding, found != in_.seen.topics.end(), status);
    plan_.bindings.push_back(std::move(status));
  }

  void set_state(const model::SourceBinding& binding, bool topic_exists, BindingStatus& status) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (!reachable()) {
      status.state = "Unknown";
      status.message = status_.message;
    } else if (in_.index.spec.suspend) {
      status.state = "Suspended";
    } else if (!topic_exists) {
      status.state = "Waiting";
      status.message =
          fmt::format("topic {} does not exist yet", model::source_topic(binding.spec.source));
    } else if (postgres != nullptr &&
               !snapshot_complete(in_.observed, in_.index.metadata, *postgres)) {
      status.state = "Snapshotting";
      status.message = fmt::format("table {} is not yet read to the end", postgres->table);
    } else {
      status.state = "Running";
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
