#include "operator/plan/lead.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/model/pipeline.h"

namespace searchsync::plan {
namespace {

// The generation in service must not stand still all the time while the other is too slow.
constexpr std::chrono::milliseconds kLeadEvery = 2 * model::kYield;

Generation highest_on(const IndexView& view, const std::string& log) {
  Generation highest{0};
  for (const auto& generation : view.seen.generations) {
    if (generation.document_log == log) highest = std::max(highest, generation.generation);
  }
  return highest;
}

}  // namespace

Generation leader_number(const IndexNotes& notes, const std::string& document_log) {
  const auto found = notes.leads.find(document_log);
  return found == notes.leads.end() ? kFirstGeneration : found->second.generation;
}

bool leader_unable(const IndexView& view, const IndexNotes& notes) {
  if (!notes.leads.contains(view.log)) return false;
  const auto* leader = view.with_number(view.log, leader_number(notes, view.log));
  if (leader == nullptr) return true;
  return !view.is_target(*leader) && (view.halted(*leader) || (leader->marked && !leader->recipe));
}

Generation next_generation(const IndexView& view, const IndexNotes& notes) {
  if (leader_unable(view, notes)) return leader_number(notes, view.log);
  Generation highest = highest_on(view, view.log);
  const auto noted = notes.generation_max.find(view.log);
  if (noted != notes.generation_max.end()) highest = std::max(highest, noted->second);
  return Generation(highest.get() + 1);
}

Generation desired_leader(const IndexView& view, const IndexNotes& notes, const std::string& log) {
  const bool target = view.targets(log);
  const bool read = view.incumbent_on(log);
  const Generation now = leader_number(notes, log);
  const bool known = notes.leads.contains(log);
  if (known &&
      ((target && view.target->generation == now) || (read && view.incumbent->generation == now))) {
    return now;
  }
  if (read) return view.incumbent->generation;
  if (target) return view.target->generation;
  return known ? now : highest_on(view, log);
}

std::string why_finish(const IndexView& view, const IndexNotes& notes,
                       const std::set<std::string>& sent, const ObservedGeneration& generation) {
  const auto& name = generation.index.get();
  const Generation number = generation.generation;
  if (view.with_number(generation.document_log, number) != &generation) return "";
  const auto lead = notes.leads.find(generation.document_log);
  if (lead == notes.leads.end() || lead->second.generation == number ||
      sent.contains(generation.document_log)) {
    return fmt::format("{} is kept until another leads", name);
  }
  if (lead->second.draining.contains(number)) {
    return fmt::format("{} is kept until it has finished what it led", name);
  }
  return "";
}

bool lead_is_old(const LeadNote& lead, TimePoint now) {
  return now >= lead.sent_at + kLeadEvery;
}

}  // namespace searchsync::plan
