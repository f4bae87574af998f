#include <algorithm>

#include "operator/plan/index_view.h"

namespace searchsync::plan {
namespace {

void keep(const IndexView& view, const ObservedGeneration& generation, IndexNotes& notes) {
  auto& highest = notes.generation_max[generation.document_log];
  highest = std::max(highest, generation.generation);
  auto [place, added] = notes.generations.try_emplace(generation.index);
  GenerationNote& note = place->second;
  if (added) {
    note.generation = generation.generation;
  }
  if (view.is_serving(generation)) {
    note = {.generation = generation.generation, .complete = true, .served = true};
  } else if (view.is_target(generation)) {
    note.retired_at.reset();
  } else if ((added || note.served) && !note.retired_at) {
    // Added: nobody remembers it. It may have been served, so it is kept warm as if it had been.
    note.retired_at = view.in.now;
  }
}

// Takes those from `draining` that have committed past the Lead, or are gone.
void note_drained(const IndexView& view, const std::string& log, LeadNote& lead) {
  Offsets past = lead.offsets;
  for (auto& offset : past) offset = Offset(offset.get() + 1);
  std::erase_if(lead.draining, [&](Generation number) {
    const auto* generation = view.with_number(log, number);
    return generation == nullptr || (!past.empty() && reached(view.folded(*generation), {}, past));
  });
}

}  // namespace

Generation leader_number(const IndexNotes& notes, const std::string& document_log) {
  const auto found = notes.leads.find(document_log);
  return found == notes.leads.end() ? kFirstGeneration : found->second.generation;
}

IndexNotes keep_notes(const IndexView& view) {
  IndexNotes notes = view.seen.notes;
  if (!notes.declared || notes.declared->spec.index_name == view.spec.index_name) {
    notes.declared = view.in.index;
  }
  std::erase_if(notes.generations, [&](const auto& entry) {
    const auto* generation = view.generation(entry.first);
    return generation == nullptr || generation->generation != entry.second.generation;
  });
  for (const auto& generation : view.seen.generations) keep(view, generation, notes);
  for (auto& [log, lead] : notes.leads) note_drained(view, log, lead);
  const auto unused = [&](const auto& entry) {
    return view.topic(entry.first) == nullptr && !view.uses_log(entry.first);
  };
  std::erase_if(notes.leads, unused);
  std::erase_if(notes.generation_max, unused);
  return notes;
}

}  // namespace searchsync::plan
