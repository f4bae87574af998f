#include "operator/plan/gate.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "lib/model/fold_rounds.h"
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
    const int rounds = model::fold_rounds(in_.bindings);
    while (note_.gate->round <= rounds) {
      if (!pass_round(rounds)) return finish();
    }
    if (write_all() && accepted()) stay_caught_up();
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
      if (binding.spec.aggregate) {
        gate.tables[model::row_topic(binding)] = found->second.end;
      } else {
        gate.sources[topic] = found->second.end;
      }
    }
    note_.gate = std::move(gate);
    return true;
  }

  bool pass_round(int rounds) {
    GateNote& gate = *note_.gate;
    if (gate.round == 0) {
      if (!counted() || !routed()) return false;
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
    gate = GateNote{
        .round = quiet ? rounds + 1 : gate.round + 1, .log = log_.end, .refused = refused()};
    return true;
  }

  // What has been committed of the events was in the table before its end was read.
  bool counted() {
    int64_t lag = 0;
    for (const auto& binding : in_.bindings) {
      const auto table = model::row_topic(binding);
      const auto waited = note_.gate->tables.find(table);
      if (waited == note_.gate->tables.end()) continue;
      const auto topic = model::source_topic(binding.spec.source);
      const auto events = in_.seen.topics.find(topic);
      const auto rows = in_.seen.topics.find(table);
      const Offsets begin = events == in_.seen.topics.end() ? Offsets{} : events->second.begin;
      const auto committed = in_.seen.committed(model::aggregate_group(table), topic);
      if (rows == in_.seen.topics.end() || !reached(committed, begin, waited->second)) {
        lag += std::max<int64_t>(1, lag_records(committed, begin, waited->second));
        continue;
      }
      note_.gate->sources[table] = rows->second.end;
      note_.gate->tables.erase(waited);
    }
    if (lag == 0) return true;
    wait(GateOutcome::Waiting::kFold, fmt::format("{} events are not yet counted", lag));
    return false;
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
    const Offsets& begin = note_.gate->begin;
    outcome_.begins = begin.empty();
    if (!outcome_.begins && committed_past(folded_, begin)) return true;
    size_t written = 0;
    for (size_t p = 0; p < std::min(begin.size(), folded_.size()); ++p) {
      if (folded_[p] > begin[p]) ++written;
    }
    wait(GateOutcome::Waiting::kWrite,
         fmt::format("its documents are being written: {} of {} partitions are done", written,
                     log_.end.size()));
    outcome_.progress =
        0.5 + 0.5 * static_cast<double>(written) / static_cast<double>(log_.end.size());
    return false;
  }

  int64_t refused() const {
    const auto found = in_.seen.dead_letters.find("");
    return found == in_.seen.dead_letters.end() ? 0 : found->second;
  }

  // Whose documents the engine refuses is not to take over from whose it has taken. As many as were
  // refused before may be the same ones.
  bool accepted() {
    const int64_t more = refused() - note_.gate->refused;
    if (in_.incumbent == nullptr || more <= note_.gate->refused) return true;
    note_.caught_up_since.reset();
    outcome_.progress = 1;
    wait(GateOutcome::Waiting::kWrite,
         fmt::format("the search engine has refused {} of its documents: `dlq list` says why; "
                     "correct mappings or rows, or go on without them by `dlq drop --binding=-`",
                     more));
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
    if (in_.incumbent != nullptr && !stable_for(cutover.stable_for)) return;
    note_ =
        GenerationNote{.generation = note_.generation, .complete = true, .served = note_.served};
  }

  bool stable_for(std::chrono::seconds wanted) {
    if (!note_.caught_up_since) note_.caught_up_since = in_.now;
    const auto passed = in_.now - *note_.caught_up_since;
    if (passed >= wanted) return true;
    wait(GateOutcome::Waiting::kLag,
         fmt::format("it has been caught up for {} of {} s",
                     std::chrono::floor<std::chrono::seconds>(passed).count(), wanted.count()));
    return false;
  }

  const GateInput& in_;
  GenerationNote note_;
  const ObservedTopic& log_;
  const Committed folded_;
  const Committed led_;
  GateOutcome outcome_;
};

}  // namespace

bool reached(const Committed& committed, const Offsets& begin, const Offsets& end) {
  for (size_t p = 0; p < end.size(); ++p) {
    if (end[p] <= at(begin, p)) continue;
    if (p >= committed.size() || !committed[p] || *committed[p] < end[p]) return false;
  }
  return true;
}

bool committed_past(const Committed& committed, const Offsets& records) {
  Offsets past = records;
  for (auto& offset : past) offset = Offset(offset.get() + 1);
  return reached(committed, {}, past);
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

std::string failed_check(const model::ReindexSpec& spec, const ObservedIndex& seen) {
  for (const auto& check : spec.checks) {
    const auto hits = seen.check_hits.find(check.name);
    if (hits == seen.check_hits.end()) return fmt::format("check {} is yet to run", check.name);
    const auto& [name, found] = *hits;
    if (!found) return fmt::format("check {} could not run: {}", name, found.error().message);
    if (*found < check.hits_min) {
      return fmt::format("check {} finds {} documents, fewer than {}", name, *found,
                         check.hits_min);
    }
    if (check.hits_max && *found > *check.hits_max) {
      return fmt::format("check {} finds {} documents, more than {}", name, *found,
                         *check.hits_max);
    }
  }
  return "";
}

GateOutcome advance_gate(const GateInput& input, GenerationNote note) {
  return Gate(input, std::move(note)).advance();
}

}  // namespace searchsync::plan
