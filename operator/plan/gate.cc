#include "operator/plan/gate.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "lib/model/pipeline.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

constexpr Offset kNone{0};

Offset at(const Offsets& offsets, size_t partition) {
  return partition < offsets.size() ? offsets[partition] : kNone;
}

class Gate {
 public:
  Gate(const GateInput& input, GenerationNote note)
      : in_(input),
        note_(std::move(note)),
        log_(input.seen.topics.at(input.generation.document_log)),
        folded_(fold(input.generation)),
        led_(input.leader != nullptr ? fold(*input.leader) : folded_) {}

  GateOutcome advance() {
    if (!note_.gate && !open()) return finish();
    const int rounds = gate_rounds(in_.bindings);
    while (note_.gate->round <= rounds) {
      if (!pass_round(rounds)) return finish();
    }
    if (write_all()) stay_caught_up();
    return finish();
  }

 private:
  Committed fold(const ObservedGeneration& generation) const {
    return in_.seen.committed(model::fold_group(in_.index, generation.index),
                              generation.document_log);
  }

  GateOutcome finish() {
    outcome_.note = std::move(note_);
    return std::move(outcome_);
  }

  void wait(GateOutcome::Waiting what, std::string message) {
    outcome_.waiting = what;
    outcome_.message = std::move(message);
  }

  // Notes the ends of the sources, once the snapshots are complete.
  bool open() {
    std::vector<std::string> missing;
    for (const auto& binding : in_.bindings) {
      const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
      if (postgres == nullptr) continue;
      if (!snapshot_complete(in_.observed, in_.index.metadata, *postgres)) {
        missing.push_back(postgres->table);
      }
    }
    if (!missing.empty()) {
      std::ranges::sort(missing);
      wait(GateOutcome::Waiting::kSnapshot,
           fmt::format("{} of {} tables are not yet read to the end: {}", missing.size(),
                       in_.bindings.size(), fmt::join(missing, ", ")));
      return false;
    }
    GateNote gate;
    for (const auto& binding : in_.bindings) {
      const auto topic = model::source_topic(binding.spec.source);
      const auto found = in_.seen.topics.find(topic);
      if (found == in_.seen.topics.end()) {
        wait(GateOutcome::Waiting::kSnapshot, fmt::format("topic {} does not exist", topic));
        return false;
      }
      gate.sources[topic] = found->second.end;
    }
    note_.gate = std::move(gate);
    return true;
  }

  bool pass_round(int rounds) {
    GateNote& gate = *note_.gate;
    if (gate.round == 0) {
      if (!routed()) return false;
    } else {
      const bool self = reached(folded_, log_.begin, gate.log);
      if (!self || !reached(led_, log_.begin, gate.log)) {
        const auto& behind = self && in_.leader != nullptr ? *in_.leader : in_.generation;
        wait(GateOutcome::Waiting::kFold,
             fmt::format(
                 "{} has {} records to fold to the gate (round {} of {})", behind.index.get(),
                 lag_records(self ? led_ : folded_, log_.begin, gate.log), gate.round, rounds));
        outcome_.progress = share(gate.log) / 2;
        return false;
      }
    }
    // A moment in which all is folded: nothing is under way, no further round can find anything.
    const bool quiet =
        reached(folded_, log_.begin, log_.end) && reached(led_, log_.begin, log_.end);
    gate = GateNote{.round = quiet ? rounds + 1 : gate.round + 1, .log = log_.end};
    return true;
  }

  bool routed() {
    const auto group = model::route_group(in_.index, in_.bindings);
    int64_t lag = 0;
    for (const auto& [topic, end] : note_.gate->sources) {
      const auto found = in_.seen.topics.find(topic);
      const Offsets begin = found == in_.seen.topics.end() ? Offsets{} : found->second.begin;
      const auto committed = in_.seen.committed(group, topic);
      if (!reached(committed, begin, end)) {
        lag += std::max<int64_t>(1, lag_records(committed, begin, end));
      }
    }
    if (lag == 0) return true;
    wait(GateOutcome::Waiting::kFold, fmt::format("{} source records are not yet routed", lag));
    outcome_.progress = share(log_.end) / 4;
    return false;
  }

  double share(const Offsets& end) const {
    const auto all = lag_records({}, log_.begin, end);
    if (all == 0) return 0;
    return 1.0 -
           static_cast<double>(lag_records(folded_, log_.begin, end)) / static_cast<double>(all);
  }

  bool write_all() {
    Offsets past = note_.gate->begin;
    outcome_.begins = past.empty();
    for (auto& offset : past) offset = Offset(offset.get() + 1);
    if (!outcome_.begins && reached(folded_, {}, past)) return true;
    const auto written = std::ranges::count_if(past, [&, p = size_t{0}](Offset end) mutable {
      const auto committed = p < folded_.size() ? folded_[p] : std::nullopt;
      ++p;
      return committed >= end;
    });
    wait(GateOutcome::Waiting::kWrite,
         fmt::format("its documents are being written: {} of {} partitions are done", written,
                     log_.end.size()));
    outcome_.progress =
        0.5 + 0.5 * static_cast<double>(written) / static_cast<double>(log_.end.size());
    return false;
  }

  void stay_caught_up() {
    const auto& cutover = in_.index.spec.reindex.cutover;
    const int64_t lag = lag_records(folded_, log_.begin, log_.end);
    outcome_.progress = 1;
    if (lag > cutover.max_lag_records) {
      note_.caught_up_since.reset();
      wait(GateOutcome::Waiting::kLag, fmt::format("its lag of {} records exceeds maxLagRecords {}",
                                                   lag, cutover.max_lag_records));
      return;
    }
    if (!note_.caught_up_since) note_.caught_up_since = in_.now;
    const auto stable = in_.now - *note_.caught_up_since;
    if (stable < cutover.stable_for) {
      wait(GateOutcome::Waiting::kLag,
           fmt::format("it has been caught up for {} of {} s",
                       std::chrono::floor<std::chrono::seconds>(stable).count(),
                       cutover.stable_for.count()));
      return;
    }
    note_ =
        GenerationNote{.generation = note_.generation, .complete = true, .served = note_.served};
  }

  const GateInput& in_;
  GenerationNote note_;
  const ObservedTopic& log_;
  const Committed folded_;
  const Committed led_;
  GateOutcome outcome_;
};

// Lookups from `holder` downwards, the longest chain.
int lookup_depth(std::span<const model::SourceBinding> bindings, const std::string& holder,
                 size_t remaining) {
  int deepest = 0;
  if (remaining == 0) return 0;
  for (const auto& binding : bindings) {
    const auto* lookup = std::get_if<model::LookupRelation>(&binding.spec.relation);
    if (lookup == nullptr || lookup->of != holder) continue;
    deepest = std::max(deepest, 1 + lookup_depth(bindings, binding.metadata.name, remaining - 1));
  }
  return deepest;
}

}  // namespace

bool reached(const Committed& committed, const Offsets& begin, const Offsets& end) {
  for (size_t p = 0; p < end.size(); ++p) {
    if (end[p] <= at(begin, p)) continue;
    if (p >= committed.size() || !committed[p] || *committed[p] < end[p]) return false;
  }
  return true;
}

bool snapshot_complete(const Observed& observed, const model::ObjectMeta& metadata,
                       const model::PostgresSource& source) {
  const auto* capture = observed.workload(capture_name(metadata, source.secret_ref));
  if (capture == nullptr) return false;
  const auto found = capture->snapshot_complete.find(source.table);
  return found != capture->snapshot_complete.end() && found->second;
}

int64_t lag_records(const Committed& committed, const Offsets& begin, const Offsets& end) {
  int64_t lag = 0;
  for (size_t p = 0; p < end.size(); ++p) {
    Offset from = at(begin, p);
    if (p < committed.size() && committed[p]) from = std::max(from, *committed[p]);
    lag += std::max<int64_t>(0, end[p].get() - from.get());
  }
  return lag;
}

int gate_rounds(std::span<const model::SourceBinding> bindings) {
  int hops = 2 * lookup_depth(bindings, "root", bindings.size());
  for (const auto& binding : bindings) {
    const bool link = std::holds_alternative<model::LinkRelation>(binding.spec.relation);
    const bool root = std::holds_alternative<model::RootRelation>(binding.spec.relation);
    int depth = lookup_depth(bindings, binding.metadata.name, bindings.size());
    if (link) depth = std::max(depth, 1);  // the far root
    if (link || std::holds_alternative<model::ChildrenRelation>(binding.spec.relation)) {
      hops = std::max(hops, 1 + 2 * depth);
    } else if (root) {
      hops = std::max(hops, 2 * depth);
    }
  }
  return 1 + hops;
}

GateOutcome advance_gate(const GateInput& input, GenerationNote note) {
  return Gate(input, std::move(note)).advance();
}

}  // namespace searchsync::plan
