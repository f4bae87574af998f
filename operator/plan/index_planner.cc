#include "operator/plan/index_planner.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/model/pipeline.h"
#include "operator/plan/differences.h"
#include "operator/plan/index_view.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

class IndexPlanner {
 public:
  explicit IndexPlanner(const IndexInput& input)
      : in_(input),
        view_(in_),
        seen_(view_.seen),
        spec_(view_.spec),
        log_(view_.log),
        notes_(seen_.notes) {}

  IndexPlan run() {
    if (seen_.engine_fault || seen_.kafka_fault) {
      plan_.hold = Hold::kYes;
      plan_.readers.push_back(view_.declared_config(kFirstGeneration));
      return finish();
    }
    found_.serving = view_.serving;
    found_.target = view_.target;
    found_.stall = find_stall(view_);
    notes_ = keep_notes(view_);
    if (found_.stall.reason.empty() && !spec_.suspend) {
      plan_topics();
      plan_target();
      plan_gate();
      plan_leads();
      plan_cutover();
      plan_settings();
      plan_retirement();
    }
    plan_workloads();
    if (notes_ != seen_.notes) {
      plan_.steps.insert(plan_.steps.begin(), {view_.key, UpdateNotes{notes_},
                                               "they differ from what was observed", ""});
    }
    return finish();
  }

 private:
  IndexPlan finish() {
    report(in_, found_, plan_);
    return std::move(plan_);
  }

  void add(Action action, std::string reason, std::string precondition = "") {
    plan_.steps.push_back(
        {view_.key, std::move(action), std::move(reason), std::move(precondition)});
  }

  void plan_topics() {
    for (const auto& binding : in_.bindings) {
      const auto name = model::source_topic(binding.spec.source);
      if (view_.topic(name) == nullptr) {
        found_.pending =
            fmt::format("topic {} of binding {} does not exist yet", name, binding.metadata.name);
      }
    }
    plan_document_log();
    const auto dead_letters = model::dead_letter_topic(in_.index);
    if (view_.topic(dead_letters) == nullptr) {
      const auto retention = std::chrono::milliseconds(in_.policy.dead_letter_retention).count();
      add(CreateTopic{.topic = dead_letters,
                      .partitions = 1,
                      .replication_factor = spec_.kafka.replication_factor,
                      .config = {{"cleanup.policy", "delete"},
                                 {"retention.ms", std::to_string(retention)}}},
          "records that cannot be applied are kept in it", "it does not exist");
    }
    for (const auto& [name, offsets] : seen_.topics) {
      if (name.starts_with(view_.document_log_prefix()) && !view_.uses_log(name)) {
        add(DeleteTopic{name}, "no generation is built from it any more",
            "no index names it in its _meta");
      }
    }
  }

  bool any_generation_on_log() const {
    return std::ranges::any_of(seen_.generations,
                               [this](const auto& g) { return g.document_log == log_; });
  }

  void plan_document_log() {
    const bool fresh = notes_.leads.contains(log_) && !notes_.generation_max.contains(log_);
    if (view_.topic(log_) != nullptr && !any_generation_on_log() && !fresh) {
      add(DeleteTopic{log_}, "who was to answer what is in it is gone: it has to begin anew",
          "no generation is built from it");
      blocked_ = true;
      return;
    }
    if (view_.topic(log_) == nullptr && any_generation_on_log()) {
      blocked_ = true;  // what was built from the lost log goes first, see plan_retirement
      return;
    }
    if (view_.topic(log_) == nullptr) {
      notes_.leads[log_] = {
          .generation = kFirstGeneration,
          .offsets = Offsets(static_cast<size_t>(spec_.workers.partitions), Offset(-1))};
      notes_.generation_max.erase(log_);
      const auto route = model::route_group(in_.index, in_.bindings);
      if (seen_.groups.contains(route)) {
        add(DeleteGroup{route}, "a new document log has to receive every row again",
            "its document log does not exist");
      }
      const auto retention = std::chrono::milliseconds(in_.policy.log_retention).count();
      add(CreateTopic{.topic = log_,
                      .partitions = spec_.workers.partitions,
                      .replication_factor = spec_.kafka.replication_factor,
                      .config = {{"cleanup.policy", "compact"},
                                 {"min.compaction.lag.ms", std::to_string(retention)},
                                 {"delete.retention.ms", std::to_string(retention)}}},
          "the documents are folds over it", "it does not exist");
    }
  }

  // Whether the leader of the log cannot be relied on to answer what is in the log before any Lead
  // record that would be sent now.
  bool leader_unable() const {
    if (!lead_settled()) return false;
    const auto* leader = view_.with_number(log_, leader_number(notes_, log_));
    if (leader == nullptr) return true;
    return !view_.is_target(*leader) && (view_.halted(*leader) || !leader->recipe);
  }

  // The next number; but where the leader is gone or has halted, its own: a generation of that
  // number answers again, as it folds from the beginning, all that the leader left unanswered. That
  // both may answer does no harm: answers carry the position that caused them.
  Generation next_generation() const {
    if (leader_unable()) return leader_number(notes_, log_);
    Generation highest{0};
    for (const auto& generation : seen_.generations) {
      if (generation.document_log == log_) highest = std::max(highest, generation.generation);
    }
    const auto noted = notes_.generation_max.find(log_);
    if (noted != notes_.generation_max.end()) highest = std::max(highest, noted->second);
    return Generation(highest.get() + 1);
  }

  void plan_target() {
    if (view_.target != nullptr) {
      if (!view_.is_serving(*view_.target) && !note(*view_.target).complete &&
          view_.target->generation != leader_number(notes_, log_) && leader_unable()) {
        add(DeleteIndex{view_.target_name}, "nobody can lead while it is built: it has to, itself",
            "it never was complete, and is not under the alias");
      }
      return;
    }
    const auto fold = model::fold_group(in_.index, view_.target_name);
    if (seen_.groups.contains(fold)) {
      for (const auto& workload : in_.observed.workloads) {
        if (workload.owner == view_.key && workload.role == Role::kWorker &&
            workload.name.starts_with(worker_prefix())) {
          add(RemoveWorkload{workload.name}, "its index is gone");
        }
      }
      add(DeleteGroup{fold}, "a new index has to fold its log from the beginning",
          "its index does not exist");
    }
    if (blocked_ || !lead_settled()) return;
    std::string reason = "it is declared";
    if (view_.serving != nullptr && view_.serving->recipe) {
      reason = fmt::format("rebuild beside {}: {}", view_.serving->index.get(),
                           differences(*view_.serving->recipe, in_.index, in_.bindings));
    }
    add(CreateIndex{view_.declared_config(next_generation())}, std::move(reason),
        "no index of this name exists");
  }

  std::string worker_prefix() const {
    const auto name = worker_name(in_.index, view_.target_name, kFirstGeneration);
    return name.substr(0, name.size() - 1);
  }

  // Whether it is known who leads the declared log; if not, plan_lead settles it.
  bool lead_settled() const { return notes_.leads.contains(log_); }

  GenerationNote& note(const ObservedGeneration& generation) {
    return notes_.generations.at(generation.index);
  }

  void plan_gate() {
    if (view_.target == nullptr || !found_.stall.reason.empty()) return;
    GenerationNote& target_note = note(*view_.target);
    if (target_note.complete || view_.topic(log_) == nullptr) return;
    const auto lead = notes_.leads.find(log_);
    if (lead != notes_.leads.end()) {
      for (const auto number : lead->second.draining) {
        if (number == view_.target->generation) continue;
        found_.gate = GateOutcome{
            .waiting = GateOutcome::Waiting::kFold,
            .message = fmt::format("generation {} has yet to finish what it led", number.get())};
        return;
      }
    }
    const auto* leader = view_.with_number(log_, leader_number(notes_, log_));
    found_.gate = advance_gate({.index = in_.index,
                                .bindings = in_.bindings,
                                .observed = in_.observed,
                                .seen = seen_,
                                .generation = *view_.target,
                                .leader = leader == view_.target ? nullptr : leader,
                                .now = in_.now},
                               target_note);
    if (view_.halted(*view_.target)) found_.gate->note.complete = false;
    target_note = found_.gate->note;
    if (found_.gate->begins) {
      add(SendBegin{.document_log = log_,
                    .partitions = static_cast<int32_t>(view_.topic(log_)->end.size()),
                    .generation = view_.target->generation,
                    .index = view_.target_name},
          "all that was in the sources is folded", "it has not been told to");
    }
  }

  // Whether the alias may move to what is declared now.
  bool cutover_ready() {
    const auto* target = view_.target;
    if (target == nullptr || view_.is_serving(*target)) return false;
    const auto* log = view_.topic(log_);
    if (!note(*target).complete || log == nullptr || view_.halted(*target)) return false;
    const int64_t lag = lag_records(view_.folded(*target), log->begin, log->end);
    if (target->refresh_interval != spec_.refresh_interval) return false;  // see plan_settings
    if (lag > spec_.reindex.cutover.max_lag_records) {
      found_.gate = GateOutcome{.waiting = GateOutcome::Waiting::kLag,
                                .message = fmt::format("its lag is {} records", lag)};
      return false;
    }
    if (view_.serving != nullptr && !note(*target).served &&
        spec_.reindex.approval == model::Approval::kManual) {
      found_.approval = fmt::format(
          "{} is complete and waits for approval: set spec.reindex.approval to Automatic",
          target->index.get());
      return false;
    }
    return true;
  }

  void plan_leads() {
    ready_ = cutover_ready();
    if (any_generation_on_log() && view_.topic(log_) != nullptr) plan_lead(log_);
    if (view_.serving != nullptr && !view_.serves(log_) &&
        view_.topic(view_.serving->document_log) != nullptr) {
      plan_lead(view_.serving->document_log);
    }
  }

  Generation desired_leader(const std::string& log) const {
    const bool target = view_.targets(log);
    const bool serving = view_.serves(log);
    if (target && ready_) return view_.target->generation;
    const Generation now = leader_number(notes_, log);
    const bool known = notes_.leads.contains(log);
    if (known && ((target && view_.target->generation == now) ||
                  (serving && view_.serving->generation == now))) {
      return now;
    }
    if (serving) return view_.serving->generation;
    if (target) return view_.target->generation;
    if (known) return now;
    Generation highest{0};
    for (const auto& generation : seen_.generations) {
      if (generation.document_log == log) highest = std::max(highest, generation.generation);
    }
    return highest;
  }

  // The notes of a log's lead begin with the log. Where there are none they were lost, and nobody
  // knows who leads: then a record says so, and everybody else is taken to have led before it.
  void plan_lead(const std::string& log) {
    const Generation desired = desired_leader(log);
    const auto known = notes_.leads.find(log);
    std::set<Generation> draining;
    if (known == notes_.leads.end()) {
      for (const auto& generation : seen_.generations) {
        if (generation.document_log == log) draining.insert(generation.generation);
      }
    } else {
      const LeadNote& lead = known->second;
      if (lead.generation == desired && !lead.offsets.empty()) return;
      draining = lead.draining;
      if (view_.with_number(log, lead.generation) != nullptr) draining.insert(lead.generation);
    }
    draining.erase(desired);
    leads_sent_.insert(log);
    add(SendLead{.document_log = log,
                 .partitions = static_cast<int32_t>(view_.topic(log)->end.size()),
                 .generation = desired,
                 .draining = std::move(draining)},
        ready_ ? "it is about to be served" : "it is the one to answer from here on",
        ready_ ? "it is complete and caught up" : "no other generation leads");
  }

  void plan_cutover() {
    if (!ready_) return;
    const auto* serving = view_.serving;
    add(SwapAlias{.alias = spec_.index_name,
                  .from = serving == nullptr ? std::nullopt : std::optional(serving->index),
                  .to = view_.target->index},
        "it is what is declared",
        fmt::format("{} is complete and caught up, and leads", view_.target->index.get()));
  }

  void plan_settings() {
    for (const auto& generation : seen_.generations) {
      if (!view_.is_target(generation) && !view_.is_serving(generation)) continue;
      const auto refresh = note(generation).complete ? spec_.refresh_interval : kNeverRefreshed;
      if (generation.replicas == spec_.replicas && generation.refresh_interval == refresh) continue;
      add(UpdateSettings{generation.index, spec_.replicas, refresh},
          fmt::format("it has {} replicas and {}", generation.replicas,
                      describe_refresh(generation.refresh_interval)));
    }
  }

  void plan_retirement() {
    for (const auto& generation : seen_.generations) {
      if (view_.is_serving(generation) || retired_.contains(generation.index)) continue;
      const bool lost = view_.topic(generation.document_log) == nullptr;
      if (lost) {
        retire({&generation}, "its document log is gone");
      } else if (!view_.is_target(generation)) {
        plan_retirement(generation);
      }
    }
  }

  void plan_retirement(const ObservedGeneration& generation) {
    const auto& log = generation.document_log;
    const bool lives = log == log_ || view_.serves(log);
    std::vector<const ObservedGeneration*> leaving;
    std::string keep = lives ? why_finish(generation) : "";
    for (const auto& one : seen_.generations) {
      const bool together = lives ? &one == &generation : one.document_log == log;
      if (!together) continue;
      if (keep.empty()) keep = why_warm(one);
      leaving.push_back(&one);
    }
    if (!keep.empty()) {
      if (found_.retiring.empty()) found_.retiring = std::move(keep);
      return;
    }
    // Generations of one log need each other's answers. So where none is wanted they go together,
    // and the log goes before them: what is left, should this stop half-way, cannot be mistaken for
    // complete.
    const bool warm = note(generation).retired_at.has_value();
    retire(leaving, warm ? "reindex.keepWarm has passed" : "it was never served", lives ? "" : log);
  }

  void retire(const std::vector<const ObservedGeneration*>& leaving, const std::string& reason,
              const std::string& log = "") {
    for (const auto* generation : leaving) {
      retired_.insert(generation->index);
      const auto workers = view_.worker_name_of(*generation);
      if (in_.observed.workload(workers) == nullptr) continue;
      add(RemoveWorkload{workers}, "its index is about to be deleted");
    }
    if (!log.empty()) add(DeleteTopic{log}, reason, "no generation of it is declared or served");
    for (const auto* generation : leaving) {
      add(DeleteIndex{generation->index}, reason,
          "it is not under the alias, and has finished what it led");
    }
  }

  // Why a generation, neither declared nor served, stays for a time. Empty: it need not.
  std::string why_warm(const ObservedGeneration& generation) {
    const GenerationNote& its = note(generation);
    if (!its.retired_at) return "";
    const auto& name = generation.index.get();
    if (view_.serving == nullptr) return fmt::format("{} is kept until another serves", name);
    const auto left = *its.retired_at + spec_.reindex.keep_warm - in_.now;
    if (left <= left.zero()) return "";
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
    plan_.look_again = std::min(plan_.look_again.value_or(wait), wait);
    return fmt::format("{} is kept warm until reindex.keepWarm has passed", name);
  }

  // Why others of its log still need it. Empty: they do not.
  std::string why_finish(const ObservedGeneration& generation) const {
    const auto& name = generation.index.get();
    const Generation number = generation.generation;
    if (view_.with_number(generation.document_log, number) != &generation) return "";
    const auto lead = notes_.leads.find(generation.document_log);
    if (lead == notes_.leads.end() || lead->second.generation == number ||
        leads_sent_.contains(generation.document_log)) {
      return fmt::format("{} is kept until another leads", name);
    }
    if (lead->second.draining.contains(number)) {
      return fmt::format("{} is kept until it has finished what it led", name);
    }
    return "";
  }

  void plan_workloads() {
    if (!spec_.suspend) {
      for (const auto& generation : seen_.generations) {
        if (retired_.contains(generation.index) || view_.superseded(generation)) continue;
        if (auto config = view_.config_of(generation)) plan_worker(std::move(*config));
      }
      if (view_.target == nullptr) plan_.readers.push_back(view_.declared_config(kFirstGeneration));
    }
    if (view_.serving != nullptr) {
      if (const auto config = view_.config_of(*view_.serving)) {
        ensure(query_workload(in_.observed, *config), "the alias leads to an index");
      }
    }
  }

  void plan_worker(model::PipelineConfig config) {
    const bool exist = view_.sources_exist(config);
    auto workload = worker_workload(in_.observed, config);
    plan_.readers.push_back(std::move(config));
    if (exist || in_.observed.workload(workload.name) != nullptr) {
      ensure(std::move(workload), "its index exists");
    }
  }

  void ensure(Workload workload, std::string reason) {
    const auto* running = in_.observed.workload(workload.name);
    if (running == nullptr || running->hash != workload.hash) {
      add(EnsureWorkload{workload},
          running == nullptr ? std::move(reason) : "its configuration or a secret changed");
    }
    plan_.workloads.push_back(std::move(workload));
  }

  const IndexInput in_;
  const IndexView view_;
  const ObservedIndex& seen_;
  const model::SearchIndexSpec& spec_;
  const std::string& log_;  // the declared document log

  IndexNotes notes_;
  Findings found_;
  bool blocked_ = false;              // no index can be created in this plan
  bool ready_ = false;                // the alias moves in this plan
  std::set<std::string> leads_sent_;  // document logs whose lead moves in this plan
  std::set<IndexName> retired_;
  IndexPlan plan_;
};

}  // namespace

IndexPlan plan_index(const IndexInput& input) {
  return IndexPlanner(input).run();
}

}  // namespace searchsync::plan
