#include "operator/plan/cutover.h"

#include <fmt/core.h>

#include "lib/model/pipeline.h"

namespace searchsync::plan {
namespace {

// The rest of kYield is for the call itself, and for clocks that differ.
constexpr std::chrono::milliseconds kSwapWithin = model::kYield / 2;

}  // namespace

Readiness readiness(const IndexView& view, const ObservedGeneration& generation,
                    const GenerationNote& note) {
  const auto& spec = view.spec;
  const auto* log = view.topic(generation.document_log);
  Readiness found;
  if (!note.complete || log == nullptr || view.halted(generation)) return found;
  const auto wait = [&](std::string message) {
    found.gate = GateOutcome{.waiting = GateOutcome::Waiting::kLag, .message = std::move(message)};
    return found;
  };
  if (generation.closed) return wait("it is closed");
  if (generation.settings.refresh_interval == kNeverRefreshed) {
    return wait("its refresh_interval is -1");  // it is about to be set, if the policy allows it
  }
  // Once it has committed past the Lead record it shows nothing older, however much came since.
  const bool led = may_show_older(view, generation) && swap_before(view, generation).has_value();
  const int64_t lag = lag_records(view.folded(generation), log->begin, log->end);
  if (view.incumbent != nullptr && !led && lag > spec.reindex.cutover.max_lag_records) {
    return wait(fmt::format("its lag is {} records", lag));
  }
  const auto* workers = view.in.observed.workload(view.worker_name_of(generation));
  if (view.incumbent != nullptr && (workers == nullptr || !workers->any_ready())) {
    return wait("none of its workers is ready");
  }
  const bool approved = spec.reindex.approval == model::Approval::kAutomatic ||
                        (spec.reindex.approved && *spec.reindex.approved == generation.index.get());
  if (view.incumbent != nullptr && !note.served && !approved) {
    found.approval =
        fmt::format("{0} is complete and waits for approval: set spec.reindex.approved to {0}",
                    generation.index.get());
    return found;
  }
  if (!note.served) found.checks = failed_check(spec.reindex, view.seen);
  found.ready = found.checks.empty();
  return found;
}

std::optional<TimePoint> swap_before(const IndexView& view, const ObservedGeneration& generation) {
  const auto lead = view.seen.notes.leads.find(generation.document_log);
  if (lead == view.seen.notes.leads.end()) return std::nullopt;
  const auto& [leader, offsets, draining, sent_at] = lead->second;
  if (leader != generation.generation || view.in.now >= sent_at + kSwapWithin || offsets.empty() ||
      !committed_past(view.folded(generation), offsets)) {
    return std::nullopt;
  }
  return sent_at + kSwapWithin;
}

bool may_show_older(const IndexView& view, const ObservedGeneration& to) {
  if (view.serving == nullptr || view.is_serving(to)) return false;
  const auto* note = view.note(*view.serving);
  const bool complete = view.is_incumbent(*view.serving) || (note != nullptr && note->complete);
  return complete && view.serving->document_log == to.document_log;
}

}  // namespace searchsync::plan
