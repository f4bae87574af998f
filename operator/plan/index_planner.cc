#include "operator/plan/index_planner.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/model/pipeline.h"
#include "operator/plan/autoscale.h"
#include "operator/plan/cutover.h"
#include "operator/plan/differences.h"
#include "operator/plan/drift.h"
#include "operator/plan/index_view.h"
#include "operator/plan/lead.h"
#include "operator/plan/partitions.h"
#include "operator/plan/renew.h"
#include "operator/plan/tables.h"
#include "operator/plan/topics.h"
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
    found_.desired = view_.target_name;
    if (seen_.engine_fault || seen_.kafka_fault) {
      plan_.hold = Hold::kYes;
      plan_.readers.push_back(view_.declared_config(kFirstGeneration));
      return finish();
    }
    found_.serving = view_.serving;
    found_.incumbent = view_.incumbent;
    found_.target = view_.target;
    found_.unrenewed = why_rebuilt(view_);
    found_.stall = find_stall(view_);
    found_.drift = find_drift(view_);
    notes_ = keep_notes(view_);
    // It cannot be told what to run those with: what runs of theirs runs on.
    if (!std::ranges::all_of(seen_.generations, &ObservedGeneration::marked)) {
      plan_.hold = Hold::kYes;
    }
    if (found_.stall.reason.empty() && !spec_.suspend) {
      add(put_right(view_));
      plan_orphans();
      add(drop_strays(view_.key, seen_));
      plan_topics();
      add(plan_renewal(view_));
      plan_target();
      plan_gate();
      plan_heading();
      plan_leads();
      plan_cutover();
      plan_settings();
      plan_retirement();
      plan_workloads();
      add(plan_partitions({view_, notes_, retired_, heading_}));
      found_.retention = retention_message(view_);
    } else {
      plan_workloads();
    }
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

  void add(std::vector<Step> steps) { std::ranges::move(steps, std::back_inserter(plan_.steps)); }

  // Workers whose index somebody has deleted: no group that they are members of can be forgotten.
  void plan_orphans() {
    for (const auto& workload : in_.observed.workloads) {
      const bool needed = std::ranges::any_of(seen_.generations, [&](const auto& generation) {
        return view_.worker_name_of(generation) == workload.name;
      });
      if (workload.owner != view_.key || workload.role != Role::kWorker || needed) continue;
      add(RemoveWorkload{workload.name}, "its index is gone");
    }
  }

  void plan_topics() {
    for (const auto& binding : in_.bindings) {
      const auto name = model::source_topic(binding.spec.source);
      if (view_.topic(name) != nullptr) continue;
      if (auto events = event_topic(in_.index, binding.spec.source)) {
        add(std::move(*events), "events are kept in it", "it does not exist");
        continue;
      }
      const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
      const auto reason =
          postgres ? why_not_captured(in_.observed, in_.index.metadata, *postgres) : "";
      found_.pending = fmt::format("topic {} of binding {} does not exist yet{}{}", name,
                                   binding.metadata.name, reason.empty() ? "" : ": ", reason);
    }
    blocked_ = plan_tables(view_, plan_.steps, found_.pending);
    plan_document_log();
    if (view_.topic(model::dead_letter_topic(in_.index)) == nullptr) {
      add(dead_letter_topic(in_.index, in_.policy), "records that cannot be applied are kept in it",
          "it does not exist");
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
      add(document_log_topic(in_.index, log_, in_.policy), "the documents are folds over it",
          "it does not exist");
    }
  }

  void plan_target() {
    if (view_.target != nullptr) {
      if (may_delete(*view_.target) && !note(*view_.target).complete &&
          view_.target->generation != leader_number(notes_, log_) && leader_unable(view_, notes_)) {
        add(DeleteIndex{view_.target_name}, "nobody can lead while it is built: it has to, itself",
            "it never was complete, and is not under the alias");
        add(drop_all(view_.key, *view_.target, "the index is built anew"));
        retired_.insert(view_.target_name);
      }
      return;
    }
    const auto fold = model::fold_group(in_.index, view_.target_name);
    if (seen_.groups.contains(fold)) {
      add(DeleteGroup{fold}, "a new index has to fold its log from the beginning",
          "its index does not exist");
    }
    if (blocked_ || !notes_.leads.contains(log_)) return;  // plan_lead settles who leads
    std::string reason = "it is declared";
    const auto* former = view_.incumbent;
    if (former != nullptr && former->recipe) {
      reason = fmt::format("rebuild beside {}: {}", former->index.get(),
                           differences(*former->recipe, in_.index, in_.bindings));
      if (!found_.unrenewed.empty()) reason += fmt::format(" ({})", found_.unrenewed);
    }
    add(CreateIndex{view_.declared_config(next_generation(view_, notes_))}, std::move(reason),
        "no index of this name exists");
  }

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
                                .incumbent = view_.incumbent,
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

  // Where the alias goes: back to where it was, first of all; or on to what is declared.
  void plan_heading() {
    const bool back = alias_moved(view_);
    const auto* to = back ? view_.incumbent : view_.target;
    if (to == nullptr || (!back && view_.is_serving(*to))) return;
    gentle_ = may_show_older(view_, *to);
    if (back && !gentle_) {
      if (!to->closed) heading_ = to;
      return;
    }
    auto readiness = plan::readiness(view_, *to, note(*to));
    if (readiness.ready) heading_ = to;
    if (!view_.is_target(*to)) return;
    if (readiness.gate) found_.gate = std::move(readiness.gate);
    found_.approval = std::move(readiness.approval);
    found_.checks = std::move(readiness.checks);
  }

  void plan_leads() {
    if (any_generation_on_log() && view_.topic(log_) != nullptr) plan_lead(log_);
    const auto* incumbent = view_.incumbent;
    if (incumbent != nullptr && incumbent->document_log != log_ &&
        view_.topic(incumbent->document_log) != nullptr) {
      plan_lead(incumbent->document_log);
    }
  }

  // The notes of a log's lead begin with the log. Where there are none they were lost, and nobody
  // knows who leads: then a record says so, and everybody else is taken to have led before it.
  void plan_lead(const std::string& log) {
    // Where the alias goes back at once, it does not matter who leads.
    const bool served = heading_ != nullptr && (gentle_ || view_.is_target(*heading_));
    const bool ready = served && heading_->document_log == log;
    const Generation desired = ready ? heading_->generation : desired_leader(view_, notes_, log);
    const auto known = notes_.leads.find(log);
    std::set<Generation> draining;
    if (known == notes_.leads.end()) {
      for (const auto& generation : seen_.generations) {
        if (generation.document_log == log) draining.insert(generation.generation);
      }
    } else {
      const LeadNote& lead = known->second;
      const bool old = ready && gentle_ && lead_is_old(lead, in_.now);
      if (lead.generation == desired && !lead.offsets.empty() && !old) return;
      draining = lead.draining;
      if (view_.with_number(log, lead.generation) != nullptr) draining.insert(lead.generation);
    }
    draining.erase(desired);
    leads_sent_.insert(log);
    add(SendLead{.document_log = log,
                 .partitions = static_cast<int32_t>(view_.topic(log)->end.size()),
                 .generation = desired,
                 .draining = std::move(draining),
                 .now = in_.now},
        ready ? "it is about to be served" : "it is the one to answer from here on",
        ready ? "it is complete and caught up" : "no other generation leads");
  }

  // A new document log has nothing in common with the old one: there the lag's bound must do.
  void plan_cutover() {
    if (heading_ == nullptr) return;
    std::optional<TimePoint> before;
    if (gentle_) {
      if (!leads_sent_.contains(heading_->document_log)) before = swap_before(view_, *heading_);
      if (!before) {
        found_.gate = GateOutcome{.waiting = GateOutcome::Waiting::kLag,
                                  .message = "it has yet to write what readers have seen"};
        return;
      }
    }
    notes_.moving_to = heading_->index;
    const bool back = alias_moved(view_);
    add(SwapAlias{.alias = spec_.index_name,
                  .from = seen_.alias,
                  .to = heading_->index,
                  .before = before,
                  .layout = layout_of(view_, *heading_)},
        back ? "others have moved it" : "it is what is declared",
        back ? "it is where the alias was put last"
             : fmt::format("{} is complete and caught up, and leads", heading_->index.get()));
  }

  void plan_settings() {
    for (const auto& generation : seen_.generations) {
      const bool counts = view_.is_target(generation) || view_.is_incumbent(generation);
      if (!counts || generation.closed || retired_.contains(generation.index)) continue;
      auto& its = note(generation);
      const auto wanted = wanted_settings(view_, its);
      if (generation.settings == wanted) {
        if (altered_partitions(generation, wanted).empty()) its.settings = wanted;
        continue;
      }
      const bool others = set_by_others(its, wanted);
      if (others && spec_.drift == model::Drift::kReport) continue;
      // What follows may be done, or not: if others are declared then, nobody else changed them.
      its.settings.reset();
      add(UpdateSettings{generation.index, wanted},
          fmt::format("{} {}", others ? "others have set" : "it has",
                      describe(generation.settings)));
    }
  }

  bool may_delete(const ObservedGeneration& generation) const {
    return !view_.is_read(generation) && generation.marked;
  }

  void plan_retirement() {
    for (const auto& generation : seen_.generations) {
      if (!may_delete(generation) || retired_.contains(generation.index)) continue;
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
    const bool lives = log == log_ || view_.reads(log);
    std::vector<const ObservedGeneration*> leaving;
    std::string keep = lives ? why_finish(view_, notes_, leads_sent_, generation) : "";
    for (const auto& one : seen_.generations) {
      const bool together = lives ? &one == &generation : one.document_log == log;
      if (!together) continue;
      if (keep.empty()) keep = may_delete(one) ? why_warm(one) : "others of its log are kept";
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
      add(drop_all(view_.key, *generation, reason));
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
    if (plan_.look_again.count() == 0 || wait < plan_.look_again) plan_.look_again = wait;
    return fmt::format("{} is kept warm until reindex.keepWarm has passed", name);
  }

  void plan_workloads() {
    if (!spec_.suspend) {
      for (const auto& generation : seen_.generations) {
        if (retired_.contains(generation.index) || view_.superseded(generation)) continue;
        if (auto config = view_.config_of(generation)) plan_worker(generation, std::move(*config));
      }
      if (view_.target == nullptr) plan_.readers.push_back(view_.declared_config(kFirstGeneration));
      if (auto one = aggregate_workload(view_)) ensure(std::move(*one), "its tables exist");
    }
    const auto* read = view_.serving != nullptr ? view_.serving : view_.incumbent;
    if (read != nullptr) {
      plan_.served = view_.config_of(*read);
      // A table's is answered for with all others of its database.
      if (plan_.served && in_.observed.database_of(view_.key) == nullptr) {
        ensure(query_workload(in_.observed, *plan_.served), "the alias leads to an index");
      }
    }
    if (auto ingest = ingest_workload(in_.observed, in_.index, view_.with_topics())) {
      ensure(std::move(*ingest), "bindings take events over HTTP");
    }
  }

  void plan_worker(const ObservedGeneration& generation, model::PipelineConfig config) {
    const bool exist = view_.sources_exist(config);
    config.log_retention = log_retention(view_, generation.document_log);
    auto workload = worker_workload(in_.observed, config);
    if (spec_.workers.autoscaling) workload.replicas = scaled(generation, workload.name, config);
    plan_.readers.push_back(std::move(config));
    if (exist || in_.observed.workload(workload.name) != nullptr) {
      ensure(std::move(workload), "its index exists");
    }
  }

  int32_t scaled(const ObservedGeneration& generation, const std::string& workers,
                 const model::PipelineConfig& config) {
    const auto* running = in_.observed.workload(workers);
    ScaleInput input{.spec = *spec_.workers.autoscaling,
                     .partitions = spec_.workers.partitions,
                     .current = running == nullptr ? 0 : running->replicas,
                     .lag_records = view_.lag(generation, config.bindings),
                     .arriving_per_second = seen_.arriving_per_second,
                     .processed_per_second = {},
                     .now = in_.now};
    if (running != nullptr) input.processed_per_second = running->rows_per_second;
    auto outcome = scale(input, notes_.scaling[generation.index]);
    if (outcome.note == ScaleNote{}) {
      notes_.scaling.erase(generation.index);
    } else {
      notes_.scaling[generation.index] = outcome.note;
    }
    // Whoever is to be served has to write what comes until then.
    const bool next = view_.is_target(generation) || view_.is_incumbent(generation);
    if (outcome.replicas == 0 && next && view_.serving != nullptr &&
        !view_.is_serving(generation)) {
      outcome.replicas = 1;
      outcome.reason = "it is about to be served";
    }
    // What arrives for nobody has to be noticed.
    if (outcome.replicas == 0) plan_.look_again = in_.policy.look_again_asleep;
    scale_reasons_[workers] = std::move(outcome.reason);
    return outcome.replicas;
  }

  void ensure(Workload workload, std::string reason) {
    const auto* running = in_.observed.workload(workload.name);
    if (running == nullptr) {
      add(EnsureWorkload{workload}, std::move(reason));
    } else if (running->hash != workload.hash) {
      add(EnsureWorkload{workload},
          running->hash.empty() ? kNotAsMade : "its configuration or a secret changed");
    } else if (running->replicas != workload.replicas) {
      const auto why = scale_reasons_.find(workload.name);
      add(EnsureWorkload{workload},
          why == scale_reasons_.end() ? fmt::format("{} run", running->replicas) : why->second);
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
  bool blocked_ = false;  // no index can be created in this plan
  // To which the alias moves, as soon as no reader can see anything older by it.
  const ObservedGeneration* heading_ = nullptr;
  bool gentle_ = false;               // readers could: see may_show_older()
  std::set<std::string> leads_sent_;  // document logs whose lead moves in this plan
  std::set<IndexName> retired_;
  std::map<std::string, std::string> scale_reasons_;  // by workload
  IndexPlan plan_;
};

}  // namespace

IndexPlan plan_index(const IndexInput& input) {
  return IndexPlanner(input).run();
}

}  // namespace searchsync::plan
