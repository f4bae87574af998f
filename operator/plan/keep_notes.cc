#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/index_view.h"
#include "operator/plan/renew.h"

namespace searchsync::plan {
namespace {

void keep(const IndexView& view, const ObservedGeneration& generation, IndexNotes& notes) {
  auto& highest = notes.generation_max[generation.document_log];
  highest = std::max(highest, generation.generation);
  auto [place, added] = notes.generations.try_emplace(generation.index);
  GenerationNote& note = place->second;
  note.generation = generation.generation;
  note.document_log = generation.document_log;
  if (const auto& recipe = generation.recipe) {
    const bool says = !recipe->renewed && generation.index == model::generation_index_name(
                                                                  recipe->index, recipe->bindings);
    note.content = says ? "" : content_of(*recipe);
  }
  if (view.is_incumbent(generation)) {
    note = {.generation = note.generation,
            .document_log = note.document_log,
            .complete = true,
            .served = true,
            .settings = note.settings,
            .content = note.content};
  } else if (view.is_target(generation) || (view.is_serving(generation) && note.served)) {
    note.retired_at.reset();
  } else if ((added || note.served) && !note.retired_at) {
    // Added: nobody remembers it. It may have been served, so it is kept warm as if it had been.
    note.retired_at = view.in.now;
  }
}

void keep_alias(const IndexView& view, IndexNotes& notes) {
  notes.serving.reset();
  if (view.incumbent != nullptr) notes.serving = view.incumbent->index;
  const bool open = notes.moving_to && notes.moving_to != notes.serving &&
                    view.generation(*notes.moving_to) != nullptr;
  if (!open) notes.moving_to.reset();
}

// Takes those from `draining` that have committed past the Lead, or are gone.
void note_drained(const IndexView& view, const std::string& log, LeadNote& lead) {
  std::erase_if(lead.draining, [&](Generation number) {
    const auto* generation = view.with_number(log, number);
    return generation == nullptr ||
           (!lead.offsets.empty() && committed_past(view.folded(*generation), lead.offsets));
  });
}

}  // namespace

IndexNotes keep_notes(const IndexView& view) {
  IndexNotes notes = view.seen.notes;
  if (!notes.declared || notes.declared->spec.index_name == view.spec.index_name) {
    notes.declared = view.in.index;
  }
  keep_alias(view, notes);
  std::erase_if(notes.generations, [&](const auto& entry) {
    const auto* generation = view.generation(entry.first);
    return generation == nullptr || generation->generation != entry.second.generation;
  });
  std::erase_if(notes.scaling,
                [&](const auto& entry) { return view.generation(entry.first) == nullptr; });
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
