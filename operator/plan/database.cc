#include "operator/plan/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

constexpr size_t kNamedMax = 5;

class DatabasePlanner {
 public:
  DatabasePlanner(const Observed& observed, const model::SearchIndex& index,
                  const TablePlans& tables)
      : observed_(observed),
        index_(index),
        tables_(tables),
        key_(object_key(index.metadata)),
        status_(plan_.status) {}

  IndexPlan run() {
    status_.index = key_;
    const auto known = observed_.tables.find(key_);
    if (known == observed_.tables.end() || !known->second.known) {
      const bool fault = known != observed_.tables.end() && known->second.fault;
      unknown(fault ? fmt::format("the database cannot be read: {}", *known->second.fault)
                    : "the database's tables are not known yet");
      return std::move(plan_);
    }
    seen_ = &known->second;
    count();
    plan_query();
    describe();
    add_conditions();
    report_binding();
    return std::move(plan_);
  }

 private:
  void unknown(const std::string& message) {
    plan_.hold = Hold::kYes;
    status_.phase = Phase::kUnknown;
    status_.message = message;
    for (const char* type : {"Ready", "Available", "Reconciling", "Stalled", "Drifted"}) {
      add(type, ConditionStatus::kUnknown, "CatalogUnknown", message);
    }
    status_.tables = TablesStatus{};
    report_binding();
  }

  // It cannot be planned, and never was served: so far nobody misses it.
  static bool is_stuck(const IndexPlan& table) {
    return table.status.phase == Phase::kStalled && !table.status.alias;
  }

  void count() {
    auto& counts = status_.tables.emplace();
    counts.kept = static_cast<int32_t>(seen_->kept.size());
    counts.refused = static_cast<int32_t>(seen_->refused.size());
    double progress = 0;
    for (const ObservedTable& table : seen_->kept) {
      const auto found = tables_.find(table.index);
      const IndexPlan* known = found == tables_.end() ? nullptr : found->second;
      if (known == nullptr || (known->hold == Hold::kYes && !known->served && !is_stuck(*known))) {
        unseen_.push_back(table.path);
        if (unseen_because_.empty()) {
          unseen_because_ = known == nullptr ? "not looked at yet" : known->status.message;
        }
        continue;
      }
      const IndexPlan& its = *known;
      if (its.served) served_.push_back({table.path, *its.served});
      status_.dead_letters += its.status.dead_letters;
      progress += its.status.progress;
      if (its.status.lag_records) {
        status_.lag_records = status_.lag_records.value_or(0) + *its.status.lag_records;
      }
      const auto ready = std::ranges::find(its.status.conditions, "Ready", &Condition::type);
      if (ready != its.status.conditions.end() && ready->status == ConditionStatus::kTrue) {
        ++counts.ready;
      } else {
        behind_.push_back(fmt::format("{} ({})", table.path, to_string(its.status.phase)));
      }
      if (its.status.phase == Phase::kStalled) stalled_.push_back(table.path);
    }
    status_.progress = seen_->kept.empty() ? 1 : progress / static_cast<double>(counts.kept);
  }

  void plan_query() {
    const auto name = query_name(index_);
    query_ = observed_.workload(name);
    if (!unseen_.empty()) plan_.hold = Hold::kYes;
    // What runs may answer for tables of which nothing is known now.
    const bool keep = !unseen_.empty() && query_ != nullptr;
    if (served_.empty() || keep) return;
    Workload workload = database_query_workload(observed_, index_, served_);
    if (query_ == nullptr) {
      plan_.steps.push_back({key_, EnsureWorkload{workload}, "a table is served", ""});
    } else if (query_->hash != workload.hash) {
      plan_.steps.push_back({key_, EnsureWorkload{workload},
                             query_->hash.empty() ? kNotAsMade
                                                  : "its tables, their configuration or a secret "
                                                    "changed",
                             ""});
    } else if (query_->replicas != workload.replicas) {
      plan_.steps.push_back(
          {key_, EnsureWorkload{workload}, fmt::format("{} run", query_->replicas), ""});
    }
    plan_.workloads.push_back(std::move(workload));
  }

  static std::string some(const std::vector<std::string>& names, std::string_view separator) {
    const size_t shown = std::min(names.size(), kNamedMax);
    std::string text =
        fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, separator));
    if (shown < names.size()) text += fmt::format("{}and {} more", separator, names.size() - shown);
    return text;
  }

  void describe() {
    status_.phase = !unseen_.empty()      ? Phase::kUnknown
                    : !stalled_.empty()   ? Phase::kStalled
                    : index_.spec.suspend ? Phase::kSuspended
                    : behind_.empty()     ? Phase::kServing
                    : served_.empty()     ? Phase::kPending
                                          : Phase::kBuilding;
    std::vector<std::string> parts;
    if (seen_->fault) {
      parts.push_back("the database cannot be read, and what it had last is kept: " +
                      *seen_->fault);
    }
    const auto itself = observed_.indices.find(key_);
    if (itself != observed_.indices.end() && itself->second.failure) {
      const auto& [step, error] = *itself->second.failure;
      parts.push_back(fmt::format("could not {}: {}", step, error.message));
    }
    if (!unseen_.empty()) {
      parts.push_back(fmt::format("not known now: {}: {}", some(unseen_, ", "), unseen_because_));
    }
    if (!behind_.empty()) parts.push_back("not served yet: " + some(behind_, ", "));
    std::vector<std::string> refused;
    for (const auto& [table, reason] : seen_->refused) {
      refused.push_back(fmt::format("{}: {}", table, reason));
    }
    if (!refused.empty()) parts.push_back("not kept: " + some(refused, "; "));
    if (!seen_->remarks.empty()) parts.push_back(some(seen_->remarks, "; "));
    status_.message = fmt::format("{}", fmt::join(parts, ". "));
  }

  void add(std::string type, ConditionStatus value, std::string reason, std::string message) {
    status_.conditions.push_back({std::move(type), value, std::move(reason), std::move(message)});
  }

  void add_conditions() {
    add_ready();
    const bool answers = query_ != nullptr && query_->any_ready();
    add("Available", answers ? ConditionStatus::kTrue : ConditionStatus::kFalse,
        answers ? "Serving" : "QueryNotReady",
        answers ? "queries are answered" : "no query process is ready");
    if (!unseen_.empty()) {
      add("Reconciling", ConditionStatus::kUnknown, "Unreachable", status_.message);
      add("Stalled", ConditionStatus::kUnknown, "Unreachable", status_.message);
    } else {
      add_progress();
    }
    add("Drifted", ConditionStatus::kFalse, "AsDeclared", "each table's own says whether it has");
  }

  void add_ready() {
    const bool asked = index_.spec.query.replicas > 0;
    const bool answers = query_ != nullptr && query_->any_ready();
    if (!unseen_.empty()) {
      add("Ready", ConditionStatus::kUnknown, "Unreachable", status_.message);
    } else if (!behind_.empty() || seen_->fault || index_.spec.suspend) {
      add("Ready", ConditionStatus::kFalse,
          seen_->fault ? "CatalogUnknown" : std::string(to_string(status_.phase)), status_.message);
    } else if (asked && !served_.empty() && !answers) {
      add("Ready", ConditionStatus::kFalse, "QueryNotReady", "no query process is ready");
    } else {
      add("Ready", ConditionStatus::kTrue, "Serving",
          fmt::format("{} tables are served and kept equal", status_.tables->kept));
    }
  }

  void add_progress() {
    const bool busy = (!behind_.empty() || !plan_.steps.empty()) && stalled_.empty();
    add("Reconciling", busy ? ConditionStatus::kTrue : ConditionStatus::kFalse,
        busy ? std::string(to_string(status_.phase)) : "Settled", busy ? status_.message : "");
    add("Stalled", stalled_.empty() ? ConditionStatus::kFalse : ConditionStatus::kTrue,
        stalled_.empty() ? "Progressing" : "TableStalled",
        stalled_.empty() ? "" : "see the SearchIndex of " + some(stalled_, ", "));
  }

  void report_binding() {
    for (const auto& binding : bindings_of(observed_.resources, index_)) {
      BindingStatus status;
      status.name = binding.metadata.name;
      status.index = key_;
      status.state = seen_ == nullptr ? "Waiting" : seen_->fault ? "Unknown" : "Running";
      if (seen_ == nullptr || seen_->fault) status.message = status_.message;
      plan_.bindings.push_back(std::move(status));
    }
  }

  const Observed& observed_;
  const model::SearchIndex& index_;
  const TablePlans& tables_;
  const ObjectKey key_;
  IndexPlan plan_;
  IndexStatus& status_;
  const ObservedTables* seen_ = nullptr;
  const ObservedWorkload* query_ = nullptr;
  std::vector<model::ServedTable> served_;
  std::vector<std::string> unseen_;   // paths of tables of which nothing is known now
  std::string unseen_because_;        // of the first of them
  std::vector<std::string> behind_;   // paths of tables that are not ready, and why
  std::vector<std::string> stalled_;  // paths
};

}  // namespace

IndexPlan plan_database(const Observed& observed, const model::SearchIndex& index,
                        const TablePlans& tables) {
  return DatabasePlanner(observed, index, tables).run();
}

}  // namespace searchsync::plan
